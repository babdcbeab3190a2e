import type { ClientConfig, MediaProvider } from '@partyline/provider-contract/media-provider';
import { isUp } from '@partyline/domain/leg';
import { VerdictError } from '@partyline/domain/verdict';
import { mediaOfSession } from '@partyline/store/events';
import { readRoom } from '@partyline/store/rooms';
import { writeConnectionData } from './connection-data.ts';
import type { Deps } from './deps.ts';
import { openMediaSession } from './open-bridge.ts';
import { noSuchRoom } from './refusals.ts';

export interface OpenedMedia {
  readonly mediaSessionId: string;
  readonly token: string;
  readonly tokenExpiresAt: Date;
  readonly client: ClientConfig;
}

/** One leg as the provider itself sees it now, beside what our row says. */
export interface ObservedLeg {
  readonly legId: string;
  readonly kind: string;
  readonly state: string;
  /** `null`: there is no such side, or it could not be asked. */
  readonly mediaUp: boolean | null;
  readonly voiceUp: boolean | null;
}

/**
 * The questions that want an answer now. Only the orchestrator holds the vendor's credentials, so the others ask it: these are the names
 * of the messages, their arguments and their answers. Each answers within the provider's timeout or throws a verdict.
 */
export interface AskProvider {
  /** Opens an empty video session, with a token for its first participant. */
  openMedia(input: { tenantId: string; participantId: string; lifetimeS: number }): Promise<OpenedMedia>;
  /** A token for one more participant of a running session. */
  issueToken(input: { tenantId: string; sessionId: string; participantId: string; expiresAt: Date }): Promise<OpenedMedia>;
  /** Asks the provider which legs of a room's session it says are up. */
  observeRoom(input: { tenantId: string; roomId: string }): Promise<readonly ObservedLeg[]>;
}

const token = (media: MediaProvider, mediaSessionId: string, participantId: string, expiresAt: Date): OpenedMedia => ({
  mediaSessionId,
  token: media.issueToken({ mediaSessionId, data: writeConnectionData({ participant: participantId }), expiresAt }),
  tokenExpiresAt: expiresAt,
  client: media.clientConfig,
});

/** The answering side, in the orchestrator. */
export function answerQuestions(deps: Pick<Deps, 'store' | 'jobs' | 'media' | 'voice' | 'clock' | 'report'>): AskProvider {
  return {
    async openMedia({ participantId, lifetimeS }) {
      const { mediaSessionId } = await deps.media.openSession();
      return token(deps.media, mediaSessionId, participantId, new Date(deps.clock.now().getTime() + lifetimeS * 1000));
    },
    async issueToken({ tenantId, sessionId, participantId, expiresAt }) {
      const known = await mediaOfSession(deps.store, tenantId, sessionId);
      if (known === undefined) throw new VerdictError('client', 'session-not-found', 'There is no such session.');
      const mediaSessionId = known ?? (await openMediaSession(deps, tenantId, sessionId));
      if (mediaSessionId === null) throw new VerdictError('client', 'session-not-found', 'There is no such session.');
      return token(deps.media, mediaSessionId, participantId, expiresAt);
    },
    async observeRoom({ tenantId, roomId }) {
      const room = await readRoom(deps.store, tenantId, roomId);
      if (room === null) throw noSuchRoom();
      const session = room.sessions[0];
      if (session === undefined) return [];
      const connections = session.media_session_id !== null && deps.media.capabilities.listConnections ? await deps.media.listConnections(session.media_session_id).then((list) => new Set(list.map((each) => each.connectionId)), () => null) : null;
      return Promise.all(
        session.legs
          .filter((leg) => isUp(leg as { state: 'joined' }))
          .map(async (leg) => {
            // One that cannot be asked, or only too late, must not hide the others.
            const call = leg.voice_call_id === null ? null : await deps.voice.getCall(leg.voice_call_id).catch(() => null);
            return {
              legId: leg.id,
              kind: leg.kind,
              state: leg.state,
              mediaUp: connections === null || leg.media_connection_id === null ? null : connections.has(leg.media_connection_id),
              voiceUp: call === null ? null : !call.over,
            };
          }),
      );
    },
  };
}
