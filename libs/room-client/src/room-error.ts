/**
 * Why a room cannot be joined, or an action failed. `reason` is in kebab case, for programs:
 * - of the gateway: `token-rejected`, `gateway-full`, `gateway-not-ready`, `muted-by-host`,
 *   `media-rejected`, `media-unavailable`, ...
 * - of this client: `unreachable` (no WebSocket), `interrupted` (the socket broke before the reply),
 *   `media-failed` (no peer connection came up), `ended` (the room is over).
 */
export class RoomError extends Error {
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = 'RoomError';
    this.reason = reason;
  }
}
