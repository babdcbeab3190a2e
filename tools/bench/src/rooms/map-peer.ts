/** As the vendor's sample makes a room: four digits that are not taken, in the process's memory, gone when it ends. Started as `node <file> <port>`. */
import express from 'express';

const app = express();
app.use(express.json());
const rooms = new Map<string, string>();

app.post('/rooms', (request, response) => {
  // Chance as the sample has it. It never ends when all are taken, so they are forgotten before.
  let pin = '';
  do pin = String(Math.floor(1_000 + Math.random() * 9_000));
  while (rooms.has(pin));
  if (rooms.size === 5_000) rooms.clear();
  const { name } = request.body as { name: string };
  rooms.set(pin, name);
  response.status(201).json({ id: name, name, pin });
});
app.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
