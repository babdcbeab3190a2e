import { parseSipMessage, type SipMessage } from './sip-message.ts';

const BEGIN = '\u001b[36;1m#';
const END = '\u001b[;m';

/**
 * Returns a function that takes each line of the output of `baresip -s`, and calls back for each
 * SIP message in it. It returns whether the line belongs to a message.
 * @param ownAddress the address of the phone, e.g. `127.0.0.1:21000`
 * @param now returns ms since the epoch
 */
export function sipTraceReader(
  ownAddress: string,
  onMessage: (message: SipMessage) => void,
  now: () => number = Date.now,
): (line: string) => boolean {
  let lines: string[] | undefined;
  return (line) => {
    // The end of a coloured warning stands before the mark on the same line.
    if (line.endsWith(BEGIN)) {
      lines = [];
      return true;
    }
    if (!lines) return false;
    if (!line.endsWith(END)) {
      lines.push(line);
      return true;
    }
    // A body without a line break at its end stands before the mark.
    const [route, ...text] = [...lines, line.slice(0, -END.length)];
    lines = undefined;
    const direction = route?.split(' ')[1] === ownAddress ? 'sent' : 'received';
    const message = parseSipMessage(text.join('\n'), { atMs: now(), direction });
    if (message) onMessage(message);
    return true;
  };
}
