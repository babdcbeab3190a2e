import { createHmac } from 'node:crypto';
import type { IceServer } from '@partyline/contracts/gateway-socket/messages';

export interface IceSettings {
  /** `stun:` URLs. */
  readonly stunUrls: readonly string[];
  /** `turn:` and `turns:` URLs. */
  readonly turnUrls: readonly string[];
  /** coturn's `static-auth-secret`. Without it, no TURN server is offered. */
  readonly turnSecret: string | undefined;
}

/** Longer than a conference. A browser that resumes gets new credentials. */
const TURN_CREDENTIAL_SECONDS = 86_400;

/**
 * Returns the ICE servers for one browser, with credentials that expire (coturn's `use-auth-secret`).
 * @param connectionId names the browser in the log of the TURN server
 */
export function createIceServers(settings: IceSettings, connectionId: string, now: Date): IceServer[] {
  const { stunUrls, turnUrls, turnSecret } = settings;
  const servers: IceServer[] = stunUrls.length > 0 ? [{ urls: [...stunUrls] }] : [];
  if (turnUrls.length > 0 && turnSecret !== undefined) {
    const username = `${Math.floor(now.getTime() / 1_000) + TURN_CREDENTIAL_SECONDS}:${connectionId}`;
    const credential = createHmac('sha1', turnSecret).update(username).digest('base64');
    servers.push({ urls: [...turnUrls], username, credential });
  }
  return servers;
}
