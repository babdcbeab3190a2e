const DIGITS = /^[\dA-D*#]$/u;
/** The number of a DTMF event (RFC 4733, section 3.2); some phones send it in place of the character. */
const EVENTS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/**
 * Returns the digit of a SIP INFO: `Signal=5` and `Duration=160` for `application/dtmf-relay`, the
 * bare digit for `application/dtmf`. Undefined for any other INFO.
 */
export function parseDtmfInfo(
  contentType: string,
  content: string,
): { digit: string; durationMs: number | undefined } | undefined {
  switch (contentType.split(';', 1)[0]?.trim().toLowerCase()) {
    case 'application/dtmf-relay': {
      const digit = readDigit(/^\s*Signal\s*=\s*(\S+)\s*$/imu.exec(content)?.[1]);
      const duration = /^\s*Duration\s*=\s*(\d{1,6})\s*$/imu.exec(content)?.[1];
      return digit === undefined
        ? undefined
        : { digit, durationMs: duration === undefined ? undefined : Number(duration) };
    }
    case 'application/dtmf': {
      const digit = readDigit(content.trim());
      return digit === undefined ? undefined : { digit, durationMs: undefined };
    }
    default:
      return undefined;
  }
}

function readDigit(signal = ''): string | undefined {
  const digit = signal.toUpperCase();
  return DIGITS.test(digit) ? digit : /^1[0-5]$/u.test(digit) ? EVENTS[Number(digit)] : undefined;
}
