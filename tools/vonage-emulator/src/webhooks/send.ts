/** One HTTP request out, with the vendor's two limits: connect and response (contract §3). */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { wallAfter, wallNow } from '../time/clock.ts';

export interface Sent {
  outcome: 'delivered' | 'refused' | 'reset' | 'timeout';
  status?: number;
  text?: string;
  ms: number;
}

interface Outgoing {
  url: string;
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body: string;
  connectMs: number;
  responseMs: number;
}

/** Sends and never rejects: what went wrong is the outcome. */
export function send(out: Outgoing): Promise<Sent> {
  const began = wallNow();
  return new Promise((resolve) => {
    const url = new URL(out.url);
    const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = make(url, { method: out.method, headers: out.headers, agent: false });
    const finish = (sent: Omit<Sent, 'ms'>): void => {
      stopTimer();
      resolve({ ...sent, ms: wallNow() - began });
      request.destroy();
    };
    let stopTimer = wallAfter(out.connectMs, () => finish({ outcome: 'timeout' }));
    request.once('socket', (socket) => {
      socket.once('connect', () => {
        stopTimer();
        stopTimer = wallAfter(out.responseMs, () => finish({ outcome: 'timeout' }));
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
    request.end(out.method === 'POST' ? out.body : undefined);
  });
}
