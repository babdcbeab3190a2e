/** REST authentication: X-OPENTOK-AUTH (legacy) or Bearer (application). Contract §1 and §2. */
import type { IncomingHttpHeaders } from 'node:http';
import { findApplication, type EmulatorConfig } from '../config.ts';
import { RestError } from '../http/answer.ts';
import { decodeClaims, isUnexpired, isValidApplicationToken, verifyHs256, verifyRs256 } from './jwt.ts';

const firstValue = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value;

/** Returns the application id or project key that a request claims, unverified: for the log. */
export function readClaimedAccount(headers: IncomingHttpHeaders): string | undefined {
  const token =
    firstValue(headers['x-opentok-auth']) ?? /^Bearer (.+)$/i.exec(firstValue(headers.authorization) ?? '')?.[1];
  const claims = token === undefined ? undefined : decodeClaims(token);
  const claimed = claims?.application_id ?? claims?.iss;
  return typeof claimed === 'string' || typeof claimed === 'number' ? String(claimed) : undefined;
}

/** Returns the id of the application whose key signed the Bearer token. Throws 401 otherwise. */
export function authenticateBearer(config: EmulatorConfig, headers: IncomingHttpHeaders, nowMs: number): string {
  const token = /^Bearer (.+)$/i.exec(firstValue(headers.authorization) ?? '')?.[1];
  const unauthorized = new RestError(401, {
    type: 'https://developer.vonage.com/api-errors#unauthorized',
    title: 'Unauthorized',
    detail: 'You did not provide correct credentials.',
  });
  if (token === undefined) throw unauthorized;
  const application = findApplication(config, decodeClaims(token)?.application_id);
  const claims = application && verifyRs256(token, application.publicKey);
  if (application === undefined || claims === undefined || !isValidApplicationToken(claims, nowMs)) throw unauthorized;
  return application.id;
}

function authenticateLegacyToken(config: EmulatorConfig, token: string, nowMs: number): string {
  const project = config.projects.find((candidate) => candidate.apiKey === String(decodeClaims(token)?.iss));
  const claims = project && verifyHs256(token, project.apiSecret);
  if (project === undefined || claims === undefined || claims.ist !== 'project' || !isUnexpired(claims, nowMs)) {
    throw new RestError(403, { code: -1, message: 'Invalid token', description: 'Invalid token' });
  }
  return project.apiKey;
}

/**
 * Returns the authenticated project key or application id. Throws 403 (legacy) or 401 (unified).
 */
export function authenticateVideoRequest(
  config: EmulatorConfig,
  headers: IncomingHttpHeaders,
  nowMs: number,
  pathKey?: string,
): string {
  const legacy = firstValue(headers['x-opentok-auth']);
  const isLegacyPath = config.projects.some((project) => project.apiKey === pathKey);
  if (legacy === undefined && isLegacyPath)
    throw new RestError(403, { code: -1, message: 'Invalid token', description: 'Missing X-OPENTOK-AUTH' });
  const account =
    legacy === undefined ? authenticateBearer(config, headers, nowMs) : authenticateLegacyToken(config, legacy, nowMs);
  if (pathKey !== undefined && pathKey !== account)
    throw new RestError(403, {
      code: -1,
      message: 'Forbidden',
      description: "The key in the path is not the caller's",
    });
  return account;
}
