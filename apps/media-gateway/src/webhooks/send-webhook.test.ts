import { expect, it } from 'vitest';
import { isAllowed } from './send-webhook.ts';

it.each([
  ['https://hooks.example', 'https://hooks.example/v1/voice/answer'],
  ['https://hooks.example/base', 'https://hooks.example/base/v1/voice/answer'],
  ['https://Hooks.Example:443', 'https://hooks.example/v1/voice/answer'],
  ['http://10.0.0.7:80/a/../base', 'http://10.0.0.7/base/v1/voice/answer'],
])('a gateway with the webhook URL %s sends webhooks to %s', (baseUrl, url) => {
  expect(isAllowed(baseUrl, url)).toBe(true);
});

it.each([
  ['https://hooks.example', 'https://hooks.example.evil.example/v1'],
  ['https://hooks.example', 'http://hooks.example/v1'],
  ['https://hooks.example', 'https://hooks.example:8443/v1'],
  ['https://hooks.example', 'https://hooks.example@evil.example/v1'],
  ['https://hooks.example/base', 'https://hooks.example/base/../v1'],
  ['https://hooks.example/base', 'https://hooks.example/based/v1'],
  ['https://hooks.example', 'no URL'],
])('a gateway with the webhook URL %s sends nothing to %s', (baseUrl, url) => {
  expect(isAllowed(baseUrl, url)).toBe(false);
});
