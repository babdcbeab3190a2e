/**
 * The usual sample: an Express app that stores PINs in memory with `app.set` and verifies no
 * signature.
 */
import express from 'express';
import { promptForPin, DIGITS_PATH, joinConversation, readPeerArguments, WELCOME, WRONG_PIN } from './peers.ts';
import { conversationOf, pinOf } from './rooms.ts';

const { port, pins, baseUrl } = readPeerArguments();
const app = express();
// The sample uses body-parser, which `express.json` is.
app.use(express.json());
for (let room = 0; room < pins; room++) app.set(pinOf(room), conversationOf(room));

app.post('/answer', (_request, response) => {
  response.json(promptForPin(baseUrl, WELCOME));
});
app.post(DIGITS_PATH, (request, response) => {
  const name = app.get((request.body as { dtmf: { digits: string } }).dtmf.digits) as string | undefined;
  response.json(name === undefined ? promptForPin(baseUrl, WRONG_PIN) : joinConversation(baseUrl, name));
});
app.listen(port, '127.0.0.1', () => console.log('listening'));
