/** The peers' call instructions: the same as Partyline's, and so about as many bytes. */
export const DIGITS_PATH = '/dtmf';

export const promptForPin = (baseUrl: string, text: string): object[] => [
  { action: 'talk', text, language: 'en-US', bargeIn: true },
  {
    action: 'input',
    type: ['dtmf'],
    dtmf: { timeOut: 5, maxDigits: 12, submitOnHash: true },
    eventUrl: [`${baseUrl}${DIGITS_PATH}`],
    eventMethod: 'POST',
  },
];

export const WELCOME = 'Welcome. Please enter your PIN, followed by the hash key.';
export const WRONG_PIN = 'This PIN is not valid. Please try again, followed by the hash key.';

export const joinConversation = (baseUrl: string, name: string): object[] => [
  { action: 'talk', text: 'Thank you. You are now joining the conference.', language: 'en-US', bargeIn: false },
  {
    action: 'conversation',
    name,
    startOnEnter: true,
    endOnExit: false,
    eventUrl: [`${baseUrl}/events`],
    eventMethod: 'POST',
  },
];

/**
 * Reads the arguments of a peer, which is started as `node <file> <port> <pins>` and prints
 * `listening`.
 */
export function readPeerArguments(): { port: number; pins: number; baseUrl: string } {
  const [port, pins] = process.argv.slice(2).map(Number) as [number, number];
  return { port, pins, baseUrl: `http://127.0.0.1:${port}` };
}
