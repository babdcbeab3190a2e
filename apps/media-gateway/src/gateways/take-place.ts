import type { Timers } from '../audio/frame-clock.ts';
import { LocalPlace, type HostingJanus } from '../conferences/local-place.ts';
import type { Place, PlaceEvents, PlaceRequest } from '../conferences/place.ts';
import { membersPath } from './messages.ts';
import type { OtherGateways } from './other-gateways.ts';
import { RemotePlace } from './remote-place.ts';

export interface TakePlaceDeps {
  /** @throws while there is no connection to Janus */
  readonly janus: () => HostingJanus;
  readonly others: OtherGateways;
  readonly timers: Timers;
}

/**
 * Takes a place for a call of this gateway in a conference, where the conference is.
 * @throws JanusError or an error of the other gateway, when no attempt succeeded
 */
export async function takePlace(
  { janus, others, timers }: TakePlaceDeps,
  request: PlaceRequest,
  events: PlaceEvents,
): Promise<Place> {
  const remote = await others.runAtHome(request.conference, async (home) => {
    const socket = await others.openSocket(home, membersPath(request.conference));
    return RemotePlace.take(socket, request, events, timers);
  });
  return remote ?? LocalPlace.take(janus(), request, events, timers);
}
