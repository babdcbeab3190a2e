import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { isUp } from '@partyline/domain/leg';
import { VerdictError } from '@partyline/domain/verdict';
import { findConnectedLeg, type ConnectedLeg } from '@partyline/store/participants/participants';
import { readLiveLegs } from '@partyline/store/rooms/rooms';
import { findMediaSession } from '@partyline/store/sessions/sessions';
import { changeSession } from '../sessions/change-session.ts';
import { writeConnectionData } from '../legs/connection-data.ts';
import type { Deps } from '../deps.ts';
import { openMediaSession } from '../legs/open-media-session.ts';
import { accountsNotConfigured, noSuchParticipant, noSuchRoom } from '../errors.ts';
import { testCredentials } from '../provider-accounts/test-credentials.ts';
import type { ProviderRpc, ObservedLeg, OpenedMedia } from '../providers/rpc-messages.ts';

const createToken = (
  media: MediaProvider,
  mediaSessionId: string,
  participant: { readonly id: string; readonly expiresAt: Date; readonly startsConference: boolean },
): OpenedMedia => ({
  mediaSessionId,
  token: media.issueToken({
    mediaSessionId,
    data: writeConnectionData({ participant: participant.id }),
    expiresAt: participant.expiresAt,
    startsConference: participant.startsConference,
  }),
  tokenExpiresAt: participant.expiresAt,
  client: media.clientConfig,
});

/**
 * Returns the live leg of a participant. Throws 404 for an unknown participant, 409 without a live
 * leg.
 */
async function findLiveLeg(
  { store }: Pick<Deps, 'store'>,
  tenantId: string,
  participantId: string,
): Promise<ConnectedLeg> {
  const leg = await findConnectedLeg(store, tenantId, participantId);
  if (leg === null) throw noSuchParticipant();
  if (leg === 'not-connected')
    throw new VerdictError('client', 'participant-not-connected', 'This participant is not connected.', {
      fix: "Check the participant's state: it must be answered or joined.",
    });
  return leg;
}

const notSupported = (): VerdictError =>
  new VerdictError(
    'client',
    'not-supported',
    'The provider does not support this action for this kind of connection.',
    {
      fix: 'Use it only for participants on the phone.',
    },
  );

async function observeLegs(
  deps: Pick<Deps, 'store' | 'providers'>,
  { tenantId, roomId }: { tenantId: string; roomId: string },
): Promise<readonly ObservedLeg[]> {
  const room = await readLiveLegs(deps.store, tenantId, roomId);
  if (room === null) throw noSuchRoom();
  const session = room.sessions[0];
  if (session === undefined) return [];
  const { media, voice } = await deps.providers(session.account_id, { tenantId });
  const connections =
    session.media_session_id !== null && media.capabilities.listConnections
      ? await media.listConnections(session.media_session_id).then(
          (list) => new Set(list.map((each) => each.connectionId)),
          () => null,
        )
      : null;
  return Promise.all(
    session.legs
      .filter((leg) => isUp(leg as { state: 'joined' }))
      .map(async (leg) => {
        // A failed look-up must not hide the other legs.
        const call = leg.voice_call_id === null ? null : await voice.getCall(leg.voice_call_id).catch(() => null);
        return {
          legId: leg.id,
          kind: leg.kind,
          state: leg.state,
          mediaUp:
            connections === null || leg.media_connection_id === null ? null : connections.has(leg.media_connection_id),
          voiceUp: call === null ? null : !call.over,
        };
      }),
  );
}

/**
 * Implements the provider RPC, for the orchestrator.
 * @param deps without `accounts`, tenants have no provider accounts of their own
 */
export function createRpcHandlers(
  deps: Pick<Deps, 'store' | 'jobs' | 'providers' | 'clock' | 'report'> & {
    readonly accounts?: Parameters<typeof testCredentials>[0];
  },
): ProviderRpc {
  /**
   * Observations in progress, by room. Concurrent requests share one, so the provider gets one
   * request.
   */
  const observations = new Map<string, Promise<readonly ObservedLeg[]>>();
  return {
    async openMedia({ tenantId, accountId, conversation, participantId, lifetimeS }) {
      const { media } = await deps.providers(accountId, { tenantId });
      const { mediaSessionId } = await media.openSession({ conversation });
      const expiresAt = new Date(deps.clock.now().getTime() + lifetimeS * 1000);
      return createToken(media, mediaSessionId, { id: participantId, expiresAt, startsConference: true });
    },
    async issueToken({ tenantId, sessionId, participantId, startsConference, expiresAt }) {
      const known = await findMediaSession(deps.store, tenantId, sessionId);
      if (known === null) throw new VerdictError('client', 'session-not-found', 'There is no such session.');
      const { media } = await deps.providers(known.account_id, { tenantId });
      const mediaSessionId =
        known.media_session_id ??
        (await openMediaSession(deps, media, tenantId, { id: sessionId, conversation: known.conversation }));
      if (mediaSessionId === null) throw new VerdictError('client', 'session-not-found', 'There is no such session.');
      return createToken(media, mediaSessionId, { id: participantId, expiresAt, startsConference });
    },
    observeRoom(input) {
      const key = `${input.tenantId} ${input.roomId}`;
      const observation = observations.get(key) ?? observeLegs(deps, input).finally(() => observations.delete(key));
      observations.set(key, observation);
      return observation;
    },
    async mute({ tenantId, participantId, muted }) {
      const leg = await findLiveLeg(deps, tenantId, participantId);
      const { media, voice } = await deps.providers(leg.account_id, { tenantId });
      if (leg.media_connection_id !== null) {
        if (!media.capabilities.mute) throw notSupported();
        await media.mute({ mediaSessionId: leg.media_session_id ?? '', connectionId: leg.media_connection_id, muted });
      } else {
        if (!voice.capabilities.mute) throw notSupported();
        await voice.mute(leg.voice_call_id!, muted);
      }
      await changeSession(deps, tenantId, leg.session_id, (view) => {
        const row = view.legs.find(({ id }) => id === leg.id);
        if (row !== undefined) row.muted = muted;
      });
      return { legId: leg.id };
    },
    async sendDigits({ tenantId, participantId, digits }) {
      const leg = await findLiveLeg(deps, tenantId, participantId);
      const { voice } = await deps.providers(leg.account_id, { tenantId });
      if (leg.voice_call_id === null || !voice.capabilities.sendDigits) throw notSupported();
      await voice.sendDigits(leg.voice_call_id, digits);
      return { legId: leg.id };
    },
    async verifyAccount(input) {
      if (deps.accounts === undefined) throw accountsNotConfigured();
      return testCredentials(deps.accounts, input);
    },
  };
}
