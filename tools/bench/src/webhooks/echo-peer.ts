/** The floor of the comparison: bare node:http without signatures and storage. */
import { createServer } from 'node:http';
import { promptForPin, DIGITS_PATH, joinConversation, readPeerArguments, WELCOME, WRONG_PIN } from './peers.ts';
import { conversationOf, pinOf } from './rooms.ts';

const { port, pins, baseUrl } = readPeerArguments();
const conversations = new Map(Array.from({ length: pins }, (_, room) => [pinOf(room), conversationOf(room)]));

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as { dtmf?: { digits: string } };
    const text = JSON.stringify(
      request.url === DIGITS_PATH ? afterDigits(body.dtmf?.digits ?? '') : promptForPin(baseUrl, WELCOME),
    );
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  });
}).listen(port, '127.0.0.1', () => console.log('listening'));

function afterDigits(digits: string): object[] {
  const name = conversations.get(digits);
  return name === undefined ? promptForPin(baseUrl, WRONG_PIN) : joinConversation(baseUrl, name);
}
