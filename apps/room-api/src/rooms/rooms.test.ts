import { afterAll, beforeAll, expect, it } from 'vitest';
import { agreeable, startStage, type Stage } from '../testing/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(() => agreeable);
});
afterAll(() => stage.stop());

it('creates', async () => {
  const r = await stage.ask('POST', '/v1/rooms', { body: { name: 'Board meeting' } });
  console.log(r.status, JSON.stringify(r.body, null, 1));
  const g = await stage.ask('GET', `/v1/rooms/${r.body.room.id}`);
  console.log(g.status, JSON.stringify(g.body, null, 1));
  for (const [m, p, o] of [
    ['POST', '/v1/rooms', { body: '{"name":' }], ['POST', '/v1/rooms', { body: 'name=x', type: 'text/plain' }], ['POST', '/v1/rooms', { body: 'name=x', type: 'application/x-www-form-urlencoded' }],
    ['POST', '/v1/rooms', { body: '<a/>', type: 'application/xml' }], ['POST', '/v1/rooms', {}], ['POST', '/v1/rooms', { body: '' , type: 'application/json' }],
    ['POST', '/v1/rooms', { body: { name: 'x'.repeat(70000) } }], ['PUT', '/v1/rooms', {}], ['DELETE', '/v1/rooms/room_x', {}], ['GET', '/nope', {}], ['GET', '/v1/rooms/%zz', {}], ['GET', '/v1/rooms/' + 'a'.repeat(200), {}],
    ['GET', '/v1/rooms/a%00b', {}], ['POST', `/v1/rooms/${r.body.room.id}/end`, { body: '' }], ['GET', '/healthz', {}], ['OPTIONS', '/v1/rooms', {}], ['POST', '/healthz', {}], ['POST', '/v1/rooms', {body: '{"__proto__":{}}'}],
    ['HEAD', '/v1/rooms', {}]
  ] as const) {
    const x = await stage.ask(m, p, o);
    console.log(m, p.slice(0, 40), JSON.stringify(o).slice(0, 60), x.status, x.headers.get('content-type'), x.headers.get('allow'), JSON.stringify(x.body));
  }
});
