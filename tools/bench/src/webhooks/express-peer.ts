/** What the field starts from: an Express app that keeps its PINs in memory with `app.set`, believes whoever calls, and forgets it all at exit. */
import express from 'express';
import { askForPin, DIGITS_PATH, joinConversation, readPeerArguments, WELCOME, WRONG_PIN } from './peers.ts';
import { conversationOf, pinOf } from './rooms.ts';

const { port, pins, baseUrl } = readPeerArguments();
const app = express();
// body-parser, as the sample has it.
app.use(express.json());
for (let room = 0; room < pins; room++) app.set(pinOf(room), conversationOf(room));

app.post('/answer', (_request, response) => {
  response.json(askForPin(baseUrl, WELCOME));
});
app.post(DIGITS_PATH, (request, response) => {
  const name = app.get((request.body as { dtmf: { digits: string } }).dtmf.digits) as string | undefined;
  response.json(name === undefined ? askForPin(baseUrl, WRONG_PIN) : joinConversation(baseUrl, name));
});
app.listen(port, '127.0.0.1', () => console.log('listening'));
