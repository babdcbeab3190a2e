/**
 * Creates rooms as Vonage's sample does: a free PIN of four digits, stored in memory only. Started
 * as `node <file> <port>`.
 */
import express from 'express';

const app = express();
app.use(express.json());
const rooms = new Map<string, string>();

app.post('/rooms', (request, response) => {
  // The sample's own randomness. Its loop never ends when no PIN is free, so the rooms are cleared
  // before.
  let pin = '';
  do pin = String(Math.floor(1_000 + Math.random() * 9_000));
  while (rooms.has(pin));
  if (rooms.size === 5_000) rooms.clear();
  const { name } = request.body as { name: string };
  rooms.set(pin, name);
  response.status(201).json({ id: name, name, pin });
});
app.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
