import type { MediaDefinition, ProviderDeps } from '@partyline/provider-contract/definition';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { createCallbackVerifier } from '@partyline/provider-contract/signature';
import { janusAccountSchema, type JanusAccount } from '../account.ts';
import { openGateways } from '../gateways.ts';
import { ConnectionRefusedError } from '../request-json.ts';
import { GATEWAY_ISSUER } from '../sign-request.ts';
import { conferenceId, connectionList } from '../wire.ts';
import { issueBrowserToken } from './browser-token.ts';
import { parseConnectionEvent } from './connection-event.ts';

const KIND = 'janus';

function create(account: JanusAccount, deps: ProviderDeps): MediaProvider {
  const gateways = openGateways(account, deps);
  /** Sends a control request about one connection. */
  async function control(mediaSessionId: string, connectionId: string, action: string, body?: unknown): Promise<void> {
    const gateway = gateways.findGateway(connectionId);
    if (gateway === undefined)
      throw new ProviderError('not-found', 'upstream-404', 'No gateway of this deployment has this connection.');
    await gateways.request(gateway, {
      method: 'POST',
      path: `/v1/conferences/${assertConference(mediaSessionId)}/connections/${connectionId}/${action}`,
      ...(body === undefined ? {} : { body }),
      effect: 'write',
    });
  }
  return {
    kind: KIND,
    capabilities: { sipDial: false, sipMonitoring: false, listConnections: true, mute: true },
    clientConfig: { kind: KIND, application: account.socketUrl },
    // Nothing is created: the conference begins with its first member.
    openSession: async ({ conversation }) => ({ mediaSessionId: conversation }),
    issueToken: (input) => issueBrowserToken(account, input, deps.clock.now()),
    dialSip: () =>
      Promise.reject(new ProviderError('refused', 'unsupported', 'Browsers and calls meet without a bridge leg here.')),
    disconnect: ({ mediaSessionId, connectionId }) => control(mediaSessionId, connectionId, 'disconnect'),
    mute: ({ mediaSessionId, connectionId, muted }) => control(mediaSessionId, connectionId, 'mute', { muted }),
    async listConnections(mediaSessionId) {
      const path = `/v1/conferences/${assertConference(mediaSessionId)}/connections`;
      const results = await Promise.allSettled(
        gateways.all.map((gateway) =>
          gateways.request(gateway, { method: 'GET', path, effect: 'read', reply: connectionList }),
        ),
      );
      const lists = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      for (const result of results) {
        if (result.status === 'fulfilled') continue;
        // The connections of a process end with it. Janus keeps their media for 20 s, less than the time
        // between two lists that must lack a connection.
        if (lists.length === 0 || !(result.reason instanceof ConnectionRefusedError)) throw result.reason;
      }
      return lists.flatMap(({ connections }) =>
        connections.map(({ connectionId, createdAt, data }) => ({
          connectionId,
          createdAt: new Date(createdAt),
          data,
        })),
      );
    },
    verifyCallback: createCallbackVerifier({
      secrets: [account.secret, ...account.extraSecrets],
      issuer: GATEWAY_ISSUER,
      applicationId: account.account,
      applicationRequired: true,
    }),
    parseCallback: parseConnectionEvent,
  };
}

function assertConference(mediaSessionId: string): string {
  if (conferenceId.safeParse(mediaSessionId).success) return mediaSessionId;
  throw new ProviderError('refused', 'bad-provider-id', 'The session id is not valid.');
}

/** Browsers through our own gateways: audio in the voice conference itself, and video. */
export const janusMedia: MediaDefinition<JanusAccount> = { kind: KIND, account: janusAccountSchema, create };
