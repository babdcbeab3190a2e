import { Agent, request } from 'node:http';
import { parentPort } from 'node:worker_threads';

/** The floor of the comparison: posts a body to all URLs at once over keep-alive connections. */
const agent = new Agent({ keepAlive: true });

parentPort!.on('message', ({ urls, id }: { urls: readonly string[]; id: string }) => {
  const body = JSON.stringify({
    id,
    type: 'leg.joined',
    roomId: 'room_bench',
    sessionId: 'ses_bench',
    seq: 1,
    at: '2026-05-04T09:30:00.000Z',
    data: { legId: 'leg_bench', kind: 'inbound', participantId: 'part_bench' },
  });
  for (const url of urls) {
    request(
      url,
      {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'webhook-id': id },
      },
      (response) => response.resume(),
    ).end(body);
  }
});
