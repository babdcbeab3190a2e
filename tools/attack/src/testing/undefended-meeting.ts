import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Meeting } from '../self-hosted/meeting.ts';

const GATEWAYS = ['gw-1', 'gw-2'];
const ROUTE_TO = /(?:Route|Via): .*?(127\.0\.0\.200):(\d+)/;

/**
 * Starts a meeting without defences: a SIP server that accepts and relays everything, an RPC and
 * gateways that do what anybody says. Every call has ended, and the processes are others each time.
 */
export async function startUndefendedMeeting(): Promise<Meeting> {
  const answer = 'SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n';
  const udp = createSocket('udp4');
  udp.on('message', (data, { address, port }) => {
    const [, host, to] = ROUTE_TO.exec(data.toString('latin1')) ?? [];
    if (host !== undefined) udp.send(data, Number(to), host);
    udp.send(answer, port, address);
  });
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const sip = `127.0.0.1:${udp.address().port}`;
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.resume().on('end', () => socket.end(answer));
  });
  tcp.listen(udp.address().port, '127.0.0.1');
  await once(tcp, 'listening');

  const sockets = new WebSocketServer({ noServer: true });
  sockets.on('connection', (socket) =>
    socket.on('message', () => socket.send(JSON.stringify({ re: 1, joined: { secret: 'x' } }))),
  );
  const http = createHttpServer((request, reply) => {
    request.on('error', () => undefined);
    request.resume().on('end', () => reply.end(JSON.stringify({ calls: [], result: [] })));
  });
  http.on('upgrade', (request, socket, head: Buffer) =>
    sockets.handleUpgrade(request, socket, head, (open) => sockets.emit('connection', open, request)),
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  let processes = 0;
  const party = { conference: 'conference', account: 'acct_1', token: 'a.b.c', connectionId: `gw-1.${'x'.repeat(22)}` };
  return {
    sip,
    rpc: { url: `${url}/RPC`, secret: 'rpc-secret' },
    kamailioSecret: 'gateway-secret',
    gateways: GATEWAYS.map((id) => ({ id, url })),
    gatewaySecret: 'secret-of-gateways',
    numbers: { victim: '+442079460031', attacker: '+442079460032', platform: '+12025550100' },
    attackerTrunk: '127.0.0.8',
    victim: party,
    attacker: party,
    secrets: [],
    calls: () => [
      {
        callId: 'call',
        from: '<sip:a@127.0.0.7>;tag=a',
        to: '<sip:b@127.0.0.1>;tag=b',
        gatewayUri: `sip:gw-1@${sip}`,
        phoneUri: 'sip:a@127.0.0.7:5060',
        route: `<sip:${sip};lr;did=1.1>`,
      },
    ],
    listProcesses: async () => `process ${(processes += 1)}`,
    findFault: async () => 'ended a call of another',
    findSilence: () => 'a phone did not hear the other',
    dialIn: async () => 'did not get through',
    async close() {
      udp.close();
      tcp.close();
      for (const socket of sockets.clients) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
