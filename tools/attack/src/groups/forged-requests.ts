import { randomUUID } from 'node:crypto';
import { RPC_METHODS, encodeRequest, rpcPattern, type RpcMethod } from '@partyline/conference/providers/rpc-messages';
import { MAX_REQUEST_AGE_MS } from '@partyline/conference/providers/rpc-signature';
import type { Group } from '../group.ts';

/** A connection to the Redis of the deployment, as an attacker in its network has it. */
export interface RpcLink {
  /** The prefix of the deployment's channels. */
  readonly prefix: string;
  /** The secret of the deployment, for requests that the attacker records. */
  readonly secret: string;
  /** Publishes a request; `answered` resolves when any answer comes. */
  send(pattern: string, request: unknown): { readonly answered: Promise<void> };
  close(): void;
}

/**
 * Genuine requests that are answered after the forged ones, so that those had time for an answer.
 */
const CONTROLS = 20;
const CONTROL_TIMEOUT_MS = 10_000;
/** base64url characters of a signature of 32 bytes. */
const SIGNATURE_LENGTH = 43;

/** The victim's ids, in a shape that serves each method. */
const INPUT = {
  tenantId: 'ten_none',
  accountId: null,
  participantId: 'part_none',
  sessionId: 'ses_none',
  roomId: 'room_none',
  digits: '1',
  muted: true,
  lifetimeS: 60,
  expiresAt: new Date(0),
};

/**
 * Forged RPC requests over Redis. The orchestrator answers none, because an answer shows that it
 * acted.
 */
export const forgedRequests: Group<() => Promise<RpcLink>> = {
  name: 'forged RPC requests',
  summary: 'written to Redis: unsigned, changed, stale, early and repeated requests to the orchestrator',
  minInputs: 300,
  async run(open, tally) {
    const link = await open();
    const { prefix, secret } = link;
    const encode = (method: RpcMethod, sentAt = Date.now(), by = secret, under = rpcPattern(method, prefix)) =>
      encodeRequest(by, under, { id: randomUUID(), nonce: randomUUID(), sentAt }, INPUT as never);
    const sent: { what: string; isAnswered: boolean }[] = [];
    const forge = (method: RpcMethod, what: string, request: unknown): void => {
      const entry = { what: `${method}, ${what}`, isAnswered: false };
      sent.push(entry);
      void link.send(rpcPattern(method, prefix), request).answered.then(() => (entry.isAnswered = true));
    };
    const control = (request = encode('observeRoom'), method: RpcMethod = 'observeRoom'): Promise<void> =>
      Promise.race([
        link.send(rpcPattern(method, prefix), request).answered,
        new Promise<never>((_, reject) =>
          AbortSignal.timeout(CONTROL_TIMEOUT_MS).addEventListener('abort', () =>
            reject(new Error('a genuine request was not answered')),
          ),
        ),
      ]);

    for (const method of RPC_METHODS) {
      const genuine = encode(method);
      const { signature: _signature, ...unsigned } = genuine;
      forge(method, 'the old form without a signature', { id: randomUUID(), input: INPUT });
      forge(method, 'unsigned', unsigned);
      for (const value of ['', 'x', 0, null, [], {}, true])
        forge(method, `signature ${JSON.stringify(value)}`, { ...genuine, signature: value });
      for (let at = 0; at < SIGNATURE_LENGTH; at++) {
        const changed = genuine.signature[at] === 'A' ? 'Q' : 'A';
        forge(method, `signature changed at ${at}`, {
          ...genuine,
          signature: genuine.signature.slice(0, at) + changed + genuine.signature.slice(at + 1),
        });
      }
      forge(method, 'another secret', encode(method, Date.now(), randomUUID()));
      forge(method, 'an empty secret', encode(method, Date.now(), ''));
      forge(method, 'another deployment', encode(method, Date.now(), secret, rpcPattern(method, 'other')));
      for (const other of RPC_METHODS)
        if (other !== method)
          forge(method, `signed for ${other}`, encode(method, Date.now(), secret, rpcPattern(other, prefix)));
      for (const field of ['id', 'nonce'] as const)
        forge(method, `another ${field}`, { ...genuine, [field]: randomUUID() });
      forge(method, 'another input', { ...genuine, input: { ...(genuine.input as object), tenantId: 'ten_other' } });
      forge(method, 'another time', { ...genuine, sentAt: genuine.sentAt + 1 });
      forge(method, 'stale', encode(method, Date.now() - MAX_REQUEST_AGE_MS - 1_000));
      forge(method, 'a day old', encode(method, Date.now() - 86_400_000));
      forge(method, 'early', encode(method, Date.now() + MAX_REQUEST_AGE_MS + 60_000));
      for (const value of [null, 'x', 1, [], [genuine]])
        forge(method, `a request that is ${JSON.stringify(value)?.slice(0, 20)}`, value);

      const recorded = encode(method);
      await control(recorded, method);
      for (let n = 0; n < 5; n++) forge(method, 'repeated', recorded);
    }
    for (let n = 0; n < CONTROLS; n++) await control();
    for (const { what, isAnswered } of sent) tally.record(what, isAnswered ? 'was answered' : null);
    link.close();
  },
};
