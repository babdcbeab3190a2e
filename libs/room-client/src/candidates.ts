import type { PeerName } from '@partyline/contracts/gateway-socket/messages';
import type { Request } from './signaling.ts';

type Candidates = Extract<Request, { do: 'add-candidates' }>['candidates'];

/** Candidates that appear within this time go in one message. */
const BATCH_MS = 20;

/**
 * Sends the candidates of a peer connection as they appear. Those that get lost with a socket are
 * replaced by the next ICE restart.
 */
export function trickle(
  connection: RTCPeerConnection,
  peer: PeerName,
  send: (request: Extract<Request, { do: 'add-candidates' }>) => Promise<unknown>,
): void {
  let batch: Candidates = [];
  let isScheduled = false;
  const flush = (isLast: boolean): void => {
    isScheduled = false;
    const candidates = batch;
    batch = [];
    if (candidates.length > 0) send({ do: 'add-candidates', peer, candidates }).catch(() => undefined);
    if (isLast) send({ do: 'add-candidates', peer, candidates: [] }).catch(() => undefined);
  };
  connection.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate === null || candidate.candidate === '') return flush(true);
    batch.push({
      candidate: candidate.candidate,
      ...(candidate.sdpMid === null ? {} : { sdpMid: candidate.sdpMid }),
      ...(candidate.sdpMLineIndex === null ? {} : { sdpMLineIndex: candidate.sdpMLineIndex }),
    });
    if (isScheduled) return;
    isScheduled = true;
    setTimeout(() => isScheduled && flush(false), BATCH_MS);
  });
}
