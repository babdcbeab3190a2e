import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inWorkspace } from '../workspace.ts';
import { describeStack } from './describe.ts';

const stack = {
  urls: {
    'room-api': 'http://127.0.0.1:4001',
    'voice-webhooks': 'http://127.0.0.1:4002',
    'dial-orchestrator': 'http://127.0.0.1:4003',
    'cleanup-worker': 'http://127.0.0.1:4004',
  },
  emulator: { baseUrl: 'http://127.0.0.1:4005' },
  selfHosted: null,
  numbers: [{ e164: '+12025550100', language: 'en-US' }],
  apiKey: 'pl_dev_0a1b2c_secret',
  credentials: { tenantId: 'ten_dev', operator: { key: 'plop_dev_secret' } },
  logFolder: inWorkspace('.partyline/logs/today'),
};

describe('describeStack', () => {
  const text = describeStack(stack);

  it('has addresses, keys, one request and where to read on, on at most one screen', () => {
    for (const part of [stack.urls['room-api'], stack.emulator.baseUrl, '+12025550100', 'ten_dev', 'plop_dev_secret'])
      expect(text).toContain(part);
    expect(text.match(/curl/g)).toHaveLength(1);
    expect(text).not.toContain('own account');
    expect(text.trim().split('\n').length).toBeLessThanOrEqual(20);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  it('names pages that exist', () => {
    const pages = text.match(/\S+\.md/g) ?? [];
    expect(pages.length).toBeGreaterThan(2);
    for (const page of pages) expect(existsSync(inWorkspace(page))).toBe(true);
  });

  it('says how to dial our own servers', () => {
    const own = describeStack({ ...stack, emulator: null, selfHosted: { kamailio: { sipUri: '127.0.0.1:5060' } } });
    expect(own).toMatch(/with kamailio, Janus and media-gateway[^]*provider +sip:\+12025550100@127\.0\.0\.1:5060 /);
  });

  it('says that a real account is used', () => {
    expect(describeStack({ ...stack, emulator: null })).toMatch(/with your Vonage account[^]*provider +Vonage\n/);
  });
});
