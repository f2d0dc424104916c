/* The sketch in simavr, moved by a script: one command a line on stdin, one event a
 * line on stdout. Time is the simulated processor's; nothing here waits.
 *
 *   run MS            let time pass
 *   cp HIGH LOW       millivolts at A1 in the two half waves of the pilot
 *   pin LETTER N 0|1  drive an input of one port
 *   say TEXT          send a line
 *   reset             press the button
 *   pwm               tell period and high time of the last pilot pulse, nanoseconds
 *
 *   T said LINE | T pin LETTER N LEVEL | T pwm PERIOD HIGH      T: microseconds
 */
#include <simavr/avr_adc.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_timer.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HZ = 16000000, PILOT_BIT = 2, CP_CHANNEL = 1, BYTE_CYCLES = 320 };
enum { TCCR1A = 0x80, COM1B1 = 0x20, OCR1A = 0x88, OCR1B = 0x8A, PRESCALER = 8 };

static avr_t *avr;
static uint32_t cp_mv[2]; /* low, high */
static int pilot;
static avr_cycle_count_t rose, period, width;
static char line[512];
static size_t size;

static unsigned long now_us(void) { return avr->cycle / (HZ / 1000000); }

static void on_output(avr_irq_t *irq, uint32_t value, void *param) {
  if (size < sizeof line - 1) line[size++] = value;
  if (value != '\n') return;
  line[size] = 0;
  size = 0;
  printf("%lu said %s", now_us(), line);
}

/* The pin while the timer has it, or the port; simavr lets the port disturb the timer. */
static void on_pilot(avr_irq_t *irq, uint32_t value, void *is_timers) {
  int has_timer = (avr->data[TCCR1A] & COM1B1) != 0;
  if (has_timer != (is_timers != 0) || (int)(value & 1) == pilot) return;
  pilot = value & 1;
  if (pilot) {
    period = avr->cycle - rose;
    rose = avr->cycle;
  } else {
    width = avr->cycle - rose;
  }
}

static void on_output_pin(avr_irq_t *irq, uint32_t value, void *param) {
  printf("%lu pin %s %u\n", now_us(), (const char *)param, value);
}

/* A conversion begins: the level it takes is the one of this moment. */
static void on_conversion(avr_irq_t *irq, uint32_t value, void *param) {
  avr_irq_t *input = avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, CP_CHANNEL);
  avr_raise_irq(input, cp_mv[pilot]);
}

/* simavr forgets that a comparator may change while its timer runs fast PWM. */
static void on_compare(avr_t *avr, avr_io_addr_t addr, uint8_t low, void *param) {
  avr_timer_comp_t *comparator = param;
  unsigned value = avr->data[addr + 1] << 8 | low;
  avr->data[addr] = low;
  comparator->comp_cycles = (value + 1) * PRESCALER;
}

static void mend_timer(void) {
  for (avr_io_t *io = avr->io_port; io; io = io->next) {
    avr_timer_t *timer = (avr_timer_t *)io;
    if (strcmp(io->kind, "timer") || timer->name != '1') continue;
    avr_register_io_write(avr, OCR1A, on_compare, &timer->comp[AVR_TIMER_COMPA]);
    avr_register_io_write(avr, OCR1B, on_compare, &timer->comp[AVR_TIMER_COMPB]);
  }
}

static avr_irq_t *port(char letter, int bit) {
  return avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(letter), bit);
}

/* Drive an input; what is driven is stronger than the pull-up, whatever is written. */
static void drive(char letter, unsigned bit, unsigned level) {
  static avr_ioport_external_t driven;
  driven.name = letter;
  driven.mask |= 1 << bit;
  driven.value = (driven.value & ~(1 << bit)) | level << bit;
  avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL(letter), &driven);
  avr_raise_irq(port(letter, bit), level);
}

static void run(avr_cycle_count_t cycles) {
  avr_cycle_count_t end = avr->cycle + cycles;
  while (avr->cycle < end) {
    int state = avr_run(avr);
    if (state == cpu_Done || state == cpu_Crashed) exit(1);
  }
}

static void say(const char *text) {
  avr_irq_t *input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
  for (; *text; text++) {
    avr_raise_irq(input, (uint8_t)*text);
    run(BYTE_CYCLES);
  }
}

static void obey(char *command) {
  unsigned a, b;
  char letter;
  if (sscanf(command, "run %u", &a) == 1) run((avr_cycle_count_t)a * HZ / 1000);
  else if (sscanf(command, "cp %u %u", &a, &b) == 2) cp_mv[1] = a, cp_mv[0] = b;
  else if (sscanf(command, "pin %c %u %u", &letter, &a, &b) == 3)
    drive(letter, a, b);
  else if (!strncmp(command, "say ", 4)) say(command + 4);
  else if (!strncmp(command, "reset", 5)) avr_reset(avr);
  else if (!strncmp(command, "pwm", 3))
    printf("%lu pwm %lu %lu\n", now_us(), (unsigned long)(period * 125 / 2),
           (unsigned long)(width * 125 / 2));
  else exit(2);
}

static void watch(avr_irq_t *irq, avr_irq_notify_t notify, void *param) {
  avr_irq_register_notify(irq, notify, param);
}

int main(int argc, char **argv) {
  elf_firmware_t firmware = {0};
  if (argc != 2 || elf_read_firmware(argv[1], &firmware)) return 2;
  avr = avr_make_mcu_by_name("atmega328p");
  avr_init(avr);
  avr->frequency = HZ;
  avr->vcc = avr->avcc = avr->aref = 5000;
  avr->log = 0;
  avr_load_firmware(avr, &firmware);
  uint32_t flags = 0;
  avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
  watch(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_output, 0);
  watch(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_OUT_TRIGGER), on_conversion, 0);
  avr_irq_t *compare = avr_io_getirq(avr, AVR_IOCTL_TIMER_GETIRQ('1'),
                                     TIMER_IRQ_OUT_COMP + AVR_TIMER_COMPB);
  watch(compare, on_pilot, "timer");
  watch(port('B', PILOT_BIT), on_pilot, 0);
  mend_timer();
  watch(port('B', 0), on_output_pin, "B 0");
  watch(port('D', 7), on_output_pin, "D 7");
  char command[256];
  while (fgets(command, sizeof command, stdin)) obey(command);
  return 0;
}
