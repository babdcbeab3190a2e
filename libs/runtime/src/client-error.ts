import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { VerdictError } from '@partyline/domain/verdict';
import { toProblem } from './problem.ts';

/** A request that is not valid HTTP/1.1. */
export const malformedRequest = (): VerdictError =>
  new VerdictError('client', 'malformed-request', 'The request is not valid HTTP/1.1.');

/** Converts an error of Node's HTTP parser to a verdict. */
function toVerdict(code: string | undefined): VerdictError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new VerdictError('client', 'request-timeout', 'The request took too long to arrive.');
    case 'HPE_HEADER_OVERFLOW':
      return new VerdictError('client', 'headers-too-large', 'The headers are larger than 16 kB.');
    default:
      return malformedRequest();
  }
}

/**
 * Answers requests that end before there is a request: too slow, or not HTTP. No hook and no filter
 * runs for them, so the whole reply is written here, as a problem with a request id.
 * @param replyHeaders the headers of every reply, without the request id
 */
export const createClientErrorHandler =
  ({
    replyHeaders,
    requestIdHeader,
    nextId,
  }: {
    readonly replyHeaders: Readonly<Record<string, string>>;
    readonly requestIdHeader: string;
    readonly nextId: () => string;
  }) =>
  (error: Error & { readonly code?: string }, socket: Socket): void => {
    // The peer has closed the connection: nobody reads a reply.
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    // As Node does: the reply to an earlier request of the connection is not interrupted.
    const isReplying = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage?.headersSent === true;
    if (socket.writable && !isReplying) {
      const requestId = nextId();
      const problem = toProblem(toVerdict(error.code), requestId);
      const body = JSON.stringify(problem);
      const headers = {
        ...replyHeaders,
        [requestIdHeader]: requestId,
        'content-type': 'application/problem+json',
        'content-length': String(Buffer.byteLength(body)),
        connection: 'close',
      };
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      socket.write([`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`, ...lines, '', body].join('\r\n'));
    }
    socket.destroy(error);
  };
