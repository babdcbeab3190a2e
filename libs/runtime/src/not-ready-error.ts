/**
 * Thrown by a readiness check. `/readyz` shows the message, which names the problem and its fix for
 * an operator, and holds no secret.
 */
export class NotReadyError extends Error {
  override readonly name = 'NotReadyError';
}
