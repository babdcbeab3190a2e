/** Sends one HTTP request with Vonage's connect and response timeouts (contract §3). */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { startWallTimer, wallNow } from '../time/clock.ts';

export interface SendResult {
  outcome: 'delivered' | 'refused' | 'reset' | 'timeout';
  status?: number;
  text?: string;
  ms: number;
}

interface OutgoingRequest {
  url: string;
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body: string;
  connectMs: number;
  responseMs: number;
}

const isHttpUrl = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);

/** Sends a request. Never rejects: an error, also an address of another kind, is an outcome. */
export function sendRequest(outgoing: OutgoingRequest): Promise<SendResult> {
  const startedAtMs = wallNow();
  if (!isHttpUrl(outgoing.url)) return Promise.resolve({ outcome: 'refused', ms: 0 });
  return new Promise((resolve) => {
    const url = new URL(outgoing.url);
    const startRequest = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = startRequest(url, { method: outgoing.method, headers: outgoing.headers, agent: false });
    const finish = (sent: Omit<SendResult, 'ms'>): void => {
      stopTimer();
      resolve({ ...sent, ms: wallNow() - startedAtMs });
      request.destroy();
    };
    let stopTimer = startWallTimer(outgoing.connectMs, () => finish({ outcome: 'timeout' }));
    request.once('socket', (socket) => {
      socket.once('connect', () => {
        stopTimer();
        stopTimer = startWallTimer(outgoing.responseMs, () => finish({ outcome: 'timeout' }));
      });
    });
    request.once('error', (error: NodeJS.ErrnoException) =>
      finish({ outcome: error.code === 'ECONNREFUSED' ? 'refused' : 'reset' }),
    );
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.once('end', () => finish({ outcome: 'delivered', status: response.statusCode, text }));
      response.once('error', () => finish({ outcome: 'reset' }));
    });
    request.end(outgoing.method === 'POST' ? outgoing.body : undefined);
  });
}
