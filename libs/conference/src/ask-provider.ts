import type { ClientConfig, MediaProvider } from '@partyline/provider-contract/media-provider';
import { isUp } from '@partyline/domain/leg';
import { VerdictError } from '@partyline/domain/verdict';
import { mediaOfSession } from '@partyline/store/events';
import { findLegThere, type LegThere } from '@partyline/store/participants';
import { readRoom } from '@partyline/store/rooms';
import { changeSession } from './change-session.ts';
import { writeConnectionData } from './connection-data.ts';
import type { Deps } from './deps.ts';
import { openMediaSession } from './open-bridge.ts';
import { noSuchParticipant, noSuchRoom } from './refusals.ts';

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
  /** Mutes somebody who is on the telephone, or lets them speak again. */
  mute(input: { tenantId: string; participantId: string; muted: boolean }): Promise<{ legId: string }>;
  /** Presses keys for somebody who is on the telephone: the far end hears the tones. */
  sendDigits(input: { tenantId: string; participantId: string; digits: string }): Promise<{ legId: string }>;
}

const token = (media: MediaProvider, mediaSessionId: string, participantId: string, expiresAt: Date): OpenedMedia => ({
  mediaSessionId,
  token: media.issueToken({ mediaSessionId, data: writeConnectionData({ participant: participantId }), expiresAt }),
  tokenExpiresAt: expiresAt,
  client: media.clientConfig,
});

/** The connection by which somebody is there. Throws 404 when the tenant has no such person, 409 when they are not there. */
async function liveLeg({ store }: Pick<Deps, 'store'>, tenantId: string, participantId: string): Promise<LegThere> {
  const there = await findLegThere(store, tenantId, participantId);
  if (there === null) throw noSuchParticipant();
  if (there === 'away') throw new VerdictError('client', 'participant-not-there', 'This person is not in a session now.', { fix: 'Look at their state: they must be answered or joined.' });
  return there;
}

const notSupported = (): VerdictError => new VerdictError('client', 'not-supported', 'The provider cannot do this to a connection of this kind.', { fix: 'It can be done to people on the telephone.' });

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
    async mute({ tenantId, participantId, muted }) {
      const leg = await liveLeg(deps, tenantId, participantId);
      if (leg.media_connection_id !== null) {
        if (!deps.media.capabilities.mute) throw notSupported();
        await deps.media.mute({ mediaSessionId: leg.media_session_id ?? '', connectionId: leg.media_connection_id, muted });
      } else {
        if (!deps.voice.capabilities.mute) throw notSupported();
        await deps.voice.mute(leg.voice_call_id!, muted);
      }
      await changeSession(deps, tenantId, leg.session_id, (view) => {
        const row = view.legs.find(({ id }) => id === leg.id);
        if (row !== undefined) row.muted = muted;
      });
      return { legId: leg.id };
    },
    async sendDigits({ tenantId, participantId, digits }) {
      const leg = await liveLeg(deps, tenantId, participantId);
      if (leg.voice_call_id === null || !deps.voice.capabilities.sendDigits) throw notSupported();
      await deps.voice.sendDigits(leg.voice_call_id, digits);
      return { legId: leg.id };
    },
  };
}
