import { hash } from 'node:crypto';

/**
 * Ranks gateways for a conference by rendezvous hashing: all gateways compute the same order, and
 * without one of them the others keep theirs.
 * @returns the ids, best first
 */
export const rankGateways = (conference: string, gatewayIds: readonly string[]): string[] =>
  gatewayIds
    .map((gatewayId) => ({ gatewayId, weight: hash('sha256', `${conference} ${gatewayId}`, 'hex') }))
    .toSorted((a, b) => (a.weight < b.weight ? -1 : 1))
    .map(({ gatewayId }) => gatewayId);
