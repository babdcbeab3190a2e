import { VerdictError } from './verdict.ts';

/** The error of every request that needs SIP servers of the platform. */
export const sipNotConfigured = (): VerdictError =>
  new VerdictError('server', 'sip-not-configured', 'This platform has no SIP servers.', {
    fix: 'Ask the operator to set the variables of the gateways, and SIP_PUBLIC_ADDRESS: docs/self-hosted.md.',
  });
