"""The device-tree overlay of the board, as source text.

It hands SPI0 to the powerline modem, keeps the pilot's pin a PWM output, and has the
kernel's PWM ready for boards without pigpio. The firmware of the Pi applies it.
"""

from __future__ import annotations

from string import Template

from pilothat.board.revision import Revision

PLC_SPEED_HZ = 12_000_000
ALT0 = 4  # brcm,function: the pin's first alternative, PWM on the pilot's pin
PULL_DOWN = 1


_SOURCE = Template("""// made by scripts/hat from the table of the board; do not edit
// $product: powerline modem on SPI0, pilot on GPIO$cp_pwm
/dts-v1/;
/plugin/;

/ {
	compatible = "brcm,bcm2835";

	fragment@0 {
		target = <&spidev0>;
		__overlay__ {
			status = "disabled";
		};
	};

	fragment@1 {
		target = <&gpio>;
		__overlay__ {
			plc_pins: plc_pins {
				brcm,pins = <$plc_int>;
				brcm,function = <0>;
				brcm,pull = <$pull_down>;
			};
			cp_pwm_pins: cp_pwm_pins {
				brcm,pins = <$cp_pwm>;
				brcm,function = <$alt0>;
				brcm,pull = <$pull_down>;
			};
		};
	};

	fragment@2 {
		target = <&spi0>;
		__overlay__ {
			#address-cells = <1>;
			#size-cells = <0>;
			status = "okay";

			plc: ethernet@0 {
				compatible = "qca,qca7000";
				reg = <0>;
				pinctrl-names = "default";
				pinctrl-0 = <&plc_pins>;
				interrupt-parent = <&gpio>;
				interrupts = <$plc_int 1>;
				spi-cpha;
				spi-cpol;
				spi-max-frequency = <$plc_speed_hz>;
			};
		};
	};

	fragment@3 {
		target = <&pwm>;
		__dormant__ {
			pinctrl-names = "default";
			pinctrl-0 = <&cp_pwm_pins>;
			assigned-clock-rates = <100000000>;
			status = "okay";
		};
	};

	__overrides__ {
		plc_int = <&plc_pins>,"brcm,pins:0", <&plc>,"interrupts:0";
		plc_speed = <&plc>,"spi-max-frequency:0";
		kernel_pwm = <0>,"+3";
	};
};
""")


def source(revision: Revision) -> str:
    """Return the source, for dtc -@."""
    return _SOURCE.substitute(
        product=revision.board.product,
        cp_pwm=revision.pins.cp_pwm,
        plc_int=revision.pins.plc_int,
        pull_down=PULL_DOWN,
        alt0=ALT0,
        plc_speed_hz=PLC_SPEED_HZ,
    )
