import { describe, expect, it } from 'vitest';
import { settingsFromEnvironment, type ProviderEnvironment } from './from-environment.ts';

const env: ProviderEnvironment = {
  VIDEO_MODE: 'unified',
  VONAGE_API_KEY: 'acc12345',
  VONAGE_API_SECRET: 'api-secret',
  VONAGE_SIGNATURE_SECRET: 's'.repeat(32),
  VONAGE_APPLICATION_ID: 'a1b2c3d4-0000-4000-8000-000000000001',
  VONAGE_PRIVATE_KEY: 'key',
  VIDEO_CALLBACK_SECRET: 'c'.repeat(32),
  VONAGE_REGION_HOSTS: { eu: 'https://api-eu.vonage.com' },
  SIP_HOST: 'sip.nexmo.com',
};
const read = (more: Partial<ProviderEnvironment> = {}) => settingsFromEnvironment({ ...env, ...more });

describe('settingsFromEnvironment', () => {
  it('uses the host of the region, and another host instead of it', () => {
    expect(read().voice.account).not.toHaveProperty('apiHost');
    expect(read({ VONAGE_REGION: 'eu' }).voice.account).toMatchObject({ apiHost: 'https://api-eu.vonage.com' });
    expect(read({ VONAGE_REGION: 'eu', VONAGE_API_HOST: 'http://127.0.0.1:1' }).voice.account).toMatchObject({
      apiHost: 'http://127.0.0.1:1',
    });
  });

  it.each(['unified', 'opentok'] as const)(
    'authenticates at the SIP gateway or the own SIP domain: %s',
    (VIDEO_MODE) => {
      expect(read({ VIDEO_MODE }).media.account).toMatchObject({
        sip: { username: 'acc12345', password: 'api-secret', host: 'sip.nexmo.com' },
      });
      const own = { SIP_HOST: 'example.sip-eu.vonage.com', SIP_USERNAME: 'partyline', SIP_PASSWORD: 'sip-password' };
      expect(read({ VIDEO_MODE, ...own }).media.account).toMatchObject({
        sip: { username: 'partyline', password: 'sip-password', host: 'example.sip-eu.vonage.com' },
      });
    },
  );
});
