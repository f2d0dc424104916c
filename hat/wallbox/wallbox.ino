/* Pilot, relay and their read-back for PilotHAT, on an Arduino Uno or Nano.
 *
 * Timer 1 makes the pilot and says when its level is measured: shortly before an edge,
 * or well inside a long half wave, the high and the low one in turns. The host sends its
 * whole wish in every line; the sketch answers with the whole state, unasked, every
 * 10 ms. What is on goes off by itself: no wish for LEASE_MS, a pilot that has left
 * states C and D for LOST_MS, an open safety chain, a reset. It then stays off until
 * the host has wished it off.
 *
 * Wiring, flashing and the protocol: README.md beside this file.
 */
#include <avr/wdt.h>
#include <util/crc16.h>

#if !defined(__AVR_ATmega328P__) || F_CPU != 16000000L
#error "made for an ATmega328P at 16 MHz: Uno, Nano"
#endif

// --- the board

const uint8_t ESTOP_PIN = 2;    // to ground: released; a broken wire is pressed
const uint8_t RCM_PIN = 3;      // to ground: good; a broken wire is tripped
const uint8_t MIRROR_PIN = 4;   // to ground: contactor open; a broken wire is closed
const uint8_t ENABLE_PIN = 7;   // enable line of the supply
const uint8_t RELAY_PIN = 8;    // contactor
const uint8_t PILOT_PIN = 10;   // OC1B; no other pin will do
const uint8_t OUTPUTS[] = {RELAY_PIN, ENABLE_PIN, LED_BUILTIN};
const uint8_t INPUTS[] = {ESTOP_PIN, RCM_PIN, MIRROR_PIN};
const uint8_t CP_CHANNEL = 1;   // A1
const bool HAS_MIRROR = true;   // false: no mirror contact; a weld goes unseen
const int16_t CP_ZERO = 564;    // code with CP at 0 V: 220 k to CP, 56 k to 5 V, 100 k
const int32_t CP_UV_PER_CODE = 34807;  // microvolts at CP; measure both, see README.md

// --- times and levels

const uint32_t BAUD = 500000;   // 16 MHz divides into it; 115200 would be 2 % off
const uint16_t LEASE_MS = 500;
const uint16_t LOST_MS = 30;
const uint16_t LINE_MS = 10;
const int16_t WANTS_ABOVE_MV = 1500, WANTS_BELOW_MV = 7500;  // states C and D
const int16_t LOW_BELOW_MV = -9000;  // what a good diode leaves of the low half wave

// --- timer 1, in half microseconds

const uint16_t PERIOD = 2000;
const uint16_t AHEAD = 44;      // a measurement begins so long before the edge
const uint16_t LATEST = 16;     // later than this its level would be the next one's
const uint8_t HIGH_SEEN = 1, LOW_SEEN = 2;

volatile uint16_t width = 0;    // 0 is steady low, PERIOD steady high
volatile uint16_t sample_at[2] = {PERIOD / 2, PERIOD / 2};
volatile int16_t codes[2];      // low, high
volatile uint8_t seen = 0;      // which of them since they were told last
bool is_changed = false;
volatile uint8_t half = 0;      // which one is being converted

enum Why : uint8_t { NONE, START, LEASE, PILOT, CHAIN };
const char *const WHY[] = {"", "start", "lease", "pilot", "chain"};

struct Wish { uint16_t number, width; bool relay, enable; };

Wish wish = {0, 0, false, false};
Why why = START;                // a reset in mid-charge must not close anything again
uint32_t wished_at = 0, wanted_at = 0, told_at = 0;
uint16_t refused = 0;           // lines that were none
char incoming[48];
uint8_t incoming_size = 0;
char outgoing[176];
uint8_t outgoing_size = 0, outgoing_sent = 0;

// --- pilot

bool is_allowed(uint16_t w) {
  return w == 0 || w == PERIOD || (w >= 60 && w <= 140) || (w >= 160 && w <= 1940);
}

bool is_pulsing() { return width > 0 && width < PERIOD; }

void drive_pilot(uint16_t wanted) {
  if (wanted == width) return;
  noInterrupts();
  width = wanted;
  seen = 0;                     // what was measured belongs to the width before
  is_changed = true;            // and the next line is wanted soon
  if (is_pulsing()) {
    OCR1B = wanted - 1;         // taken over with the next period
    TCCR1A = _BV(COM1B1) | _BV(WGM11);
    sample_at[1] = wanted - AHEAD;
    sample_at[0] = wanted < PERIOD / 2 ? PERIOD * 3 / 4 : PERIOD - AHEAD;
  } else {
    TCCR1A = _BV(WGM11);        // the port drives the pin
    digitalWrite(PILOT_PIN, wanted == PERIOD);
    sample_at[0] = sample_at[1] = PERIOD / 2;
  }
  interrupts();
}

void begin_pilot() {
  pinMode(PILOT_PIN, OUTPUT);   // low: state F
  TCCR1B = 0;
  ICR1 = PERIOD - 1;
  OCR1A = PERIOD / 2;
  TCCR1A = _BV(WGM11);          // fast PWM up to ICR1, 16 MHz / 8
  TCCR1B = _BV(WGM13) | _BV(WGM12) | _BV(CS11);
  TIMSK1 = _BV(OCIE1A);
  ADMUX = _BV(REFS0) | CP_CHANNEL;
  ADCSRA = _BV(ADEN) | _BV(ADIE) | _BV(ADPS2) | _BV(ADPS1);  // 250 kHz: 54 us
}

ISR(TIMER1_COMPA_vect) {
  uint16_t now = TCNT1;
  uint8_t is_high = is_pulsing() ? now < width : width == PERIOD;
  if (now - OCR1A <= LATEST && !(ADCSRA & _BV(ADSC))) {
    half = is_high;
    ADCSRA |= _BV(ADSC);
  }
  OCR1A = sample_at[!is_high];
}

ISR(ADC_vect) {
  codes[half] = ADC;
  seen |= half ? HIGH_SEEN : LOW_SEEN;
}

int16_t level_mv(uint8_t which) {
  noInterrupts();
  int16_t code = codes[which];
  interrupts();
  return (code - CP_ZERO) * CP_UV_PER_CODE / 1000;
}

int16_t high_mv() { return level_mv(width > 0); }  // or the steady level

bool car_wants_power() {
  int16_t high = high_mv();
  bool has_low = !is_pulsing() || level_mv(0) < LOW_BELOW_MV;
  return high > WANTS_ABOVE_MV && high < WANTS_BELOW_MV && has_low;
}

// --- outputs

bool is_chain_good() { return !digitalRead(ESTOP_PIN) && !digitalRead(RCM_PIN); }

bool is_contactor_closed() {
  return HAS_MIRROR ? digitalRead(MIRROR_PIN) : digitalRead(RELAY_PIN);
}

uint16_t lease_left(uint32_t now) {
  uint32_t age = now - wished_at;
  return age < LEASE_MS ? LEASE_MS - age : 0;
}

void drive(uint8_t pin, bool level) {
  if (digitalRead(pin) != level) digitalWrite(pin, level);
}

void drive_outputs(uint32_t now) {
  bool is_wished = wish.relay || wish.enable;
  bool is_on = digitalRead(RELAY_PIN) || digitalRead(ENABLE_PIN);
  bool is_wanted = now - told_at <= LOST_MS && car_wants_power();
  if (is_wanted || !is_wished) wanted_at = now;
  if (lease_left(now) == 0) {
    drive_pilot(0);
    why = LEASE;
  } else if (is_wished && !is_chain_good()) {
    why = CHAIN;
  } else if (is_wished && now - wanted_at > LOST_MS) {
    why = PILOT;
  }
  bool may = why == NONE && (is_wanted || is_on);
  drive(RELAY_PIN, may && wish.relay);
  drive(LED_BUILTIN, may && wish.relay);
  drive(ENABLE_PIN, may && wish.enable);
}

// --- lines

uint16_t crc_of(const char *text, uint8_t size) {
  uint16_t crc = 0xFFFF;
  while (size--) crc = _crc_xmodem_update(crc, *text++);
  return crc;
}

void obey(const Wish &heard, uint32_t now) {
  wish = heard;
  wished_at = now;
  if (!wish.relay && !wish.enable) why = NONE;
  drive_pilot(wish.width);
}

/* "W number width relay enable crc", the crc in four hex digits over what is before it
 * and its blank. */
bool read_wish(char *line, Wish &heard) {
  char *mark = strrchr(line, ' ');
  if (line[0] != 'W' || !mark || strlen(mark) != 5) return false;
  char *at;
  if (strtoul(mark + 1, &at, 16) != crc_of(line, mark - line) || *at) return false;
  heard.number = strtoul(line + 1, &at, 10);
  heard.width = strtoul(at, &at, 10);
  heard.relay = strtoul(at, &at, 10) == 1;
  heard.enable = strtoul(at, &at, 10) == 1;
  return at == mark && is_allowed(heard.width);
}

void hear(uint32_t now) {
  while (Serial.available()) {
    char c = Serial.read();
    if (c != '\n') {
      if (incoming_size < sizeof incoming) incoming[incoming_size++] = c;
      continue;
    }
    Wish heard;
    bool fits = incoming_size < sizeof incoming;
    incoming[fits ? incoming_size : 0] = 0;
    incoming_size = 0;
    if (read_wish(incoming, heard)) obey(heard, now);
    else refused++;
  }
}

bool is_measured() {
  return seen == (is_pulsing() ? HIGH_SEEN | LOW_SEEN : width ? HIGH_SEEN : LOW_SEEN);
}

/* Begin a line, once there are levels that are younger than the line before. */
void begin_line(uint32_t now) {
  bool is_due = is_changed || now - told_at >= LINE_MS;
  if (!is_due || outgoing_size || !is_measured()) return;
  told_at = now;
  seen = 0;
  is_changed = false;
  int size = snprintf_P(
      outgoing, sizeof outgoing,
      PSTR("{\"v\":1,\"t\":%lu,\"n\":%u,\"w\":%u,\"hi\":%d,\"lo\":%d,\"k\":%d,\"e\":%d,"
           "\"fb\":%d,\"es\":%d,\"rcm\":%d,\"lease\":%u,\"bad\":%u,\"why\":\"%s\""),
      now, wish.number, width, high_mv(), level_mv(0), digitalRead(RELAY_PIN),
      digitalRead(ENABLE_PIN), is_contactor_closed(), !digitalRead(ESTOP_PIN),
      !digitalRead(RCM_PIN), lease_left(now), refused, WHY[why]);
  size += snprintf_P(outgoing + size, sizeof outgoing - size,
                     PSTR(",\"crc\":\"%04x\"}\n"), crc_of(outgoing, size));
  outgoing_size = size;
  outgoing_sent = 0;
}

/* Send what fits, so that nothing ever waits for the serial line. */
void speak() {
  while (outgoing_sent < outgoing_size && Serial.availableForWrite() > 0)
    Serial.write(outgoing[outgoing_sent++]);
  if (outgoing_sent == outgoing_size) outgoing_size = 0;
}

void setup() {
  MCUSR = 0;
  wdt_disable();
  for (uint8_t pin : OUTPUTS) {
    digitalWrite(pin, LOW);
    pinMode(pin, OUTPUT);
  }
  for (uint8_t pin : INPUTS) pinMode(pin, INPUT_PULLUP);
  begin_pilot();
  Serial.begin(BAUD);
  wdt_enable(WDTO_120MS);
}

void loop() {
  uint32_t now = millis();
  wdt_reset();
  hear(now);
  drive_outputs(now);
  begin_line(now);
  speak();
}
