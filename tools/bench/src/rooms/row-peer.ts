/**
 * A minimal API: a Fastify handler that inserts one row. Started as `node <file> <port> <database
 * url>`.
 */
import { randomBytes, randomInt } from 'node:crypto';
import fastify from 'fastify';
import pg from 'pg';

const [port, url] = process.argv.slice(2) as [string, string];
const pool = new pg.Pool({ connectionString: url, max: 10 });
const app = fastify();

app.post('/rooms', async (request, reply) => {
  const { name } = request.body as { name: string };
  const room = { id: `room_${randomBytes(16).toString('base64url')}`, name, pin: String(randomInt(1e8, 1e9)) };
  await pool.query({
    name: 'insert',
    text: 'INSERT INTO plain_room (id, name, pin) VALUES ($1, $2, $3)',
    values: [room.id, room.name, room.pin],
  });
  return reply.code(201).send(room);
});
await app.listen({ port: Number(port), host: '127.0.0.1' });
console.log('listening');
