import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { ProviderDeps } from '@partyline/provider-contract/definition';
import type { RequestEffect } from '@partyline/provider-contract/http-failure';
import type { ZodType } from 'zod';
import type { JanusAccount } from './account.ts';
import { requestJson } from './request-json.ts';
import { signControlRequest } from './sign-request.ts';
import { partId } from './wire.ts';

export type Gateway = JanusAccount['gateways'][number];

interface ControlRequest<Reply> {
  readonly method: 'GET' | 'POST';
  /** Path with query; its ids are valid. */
  readonly path: string;
  readonly body?: unknown;
  readonly effect: RequestEffect;
  readonly reply?: ZodType<Reply>;
}

/** The gateways of an account. */
export interface Gateways {
  readonly all: readonly Gateway[];
  /** Sends a signed control request to one gateway. */
  request<Reply = void>(gateway: Gateway, request: ControlRequest<Reply>): Promise<Reply>;
  /**
   * Returns the gateway of a call or connection; `undefined` for an id of another provider or of a
   * gateway that no longer exists.
   * @throws ProviderError `refused` for an id that is not safe in a path
   */
  findGateway(id: string): Gateway | undefined;
}

export function openGateways(
  account: Pick<JanusAccount, 'gateways' | 'secret'>,
  { timeoutMs, clock, secret }: Pick<ProviderDeps, 'timeoutMs' | 'clock' | 'secret'>,
): Gateways {
  return {
    all: account.gateways,
    request(gateway, { method, path, body, effect, reply }) {
      const rawBody = body === undefined ? '' : JSON.stringify(body);
      const authorization = signControlRequest(`${gateway.id} ${method} ${path}`, account.secret, rawBody, {
        now: clock.now(),
        nonce: secret(),
      });
      return requestJson({
        method,
        url: `${gateway.url}${path}`,
        headers: { authorization },
        ...(body === undefined ? {} : { body: rawBody }),
        effect,
        timeoutMs,
        ...(reply === undefined ? {} : { reply }),
      });
    },
    findGateway(id) {
      if (!/^[A-Za-z0-9._-]{1,100}$/.test(id))
        throw new ProviderError('refused', 'bad-provider-id', 'The id is not valid.');
      if (!partId.safeParse(id).success) return undefined;
      const gatewayId = id.slice(0, id.indexOf('.'));
      return account.gateways.find((gateway) => gateway.id === gatewayId);
    },
  };
}
