import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { openLogger } from './logging.ts';

function logged(write: (log: ReturnType<typeof openLogger>) => void): string {
  let text = '';
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  write(openLogger({ service: 'test', level: 'debug' }, sink));
  return text;
}

test.each(['pin', 'digits', 'phone', 'token', 'secret', 'authorization', 'password'])(
  'redacts a field named %s at any depth',
  (name) => {
    const text = logged((log) =>
      log.info({ [name]: 'canary', request: { [name]: 'canary', deep: { [name]: 'canary' } } }, 'something'),
    );
    expect(text).toContain('something');
    expect(text).not.toContain('canary');
  },
);

test('logs the message and stack of an error, and none of its other properties', () => {
  const error = Object.assign(new Error('WRONGPASS'), {
    command: { name: 'hello', args: ['3', 'AUTH', 'user', 'canary'] },
    detail: 'Key (lookup)=(canary)',
    where: 'canary',
  });
  const text = logged((log) => log.warn({ err: error }, 'Redis is away'));
  expect(text).toContain('WRONGPASS');
  expect(text).toContain('logging.test.ts');
  expect(text).not.toContain('canary');
});

test('keeps the id of an API key, which can have decimal digits only', () => {
  expect(logged((log) => log.warn({ keyId: '442079460018' }, 'a request was rejected'))).toContain('442079460018');
  expect(logged((log) => log.warn({ keyId: '44207946001' }, 'a request was rejected'))).not.toContain('44207946001');
});

test('scrubs numbers and secrets from errors, fields and messages, and keeps ids', () => {
  const message = 'no such number: +442079460018, Bearer canary';
  const text = logged((log) => {
    log.warn({ err: new Error(message), error: `Error: ${message}` }, 'a call failed');
    log.error({ requestId: 'req_3q2-7wAAQkV1bWJlclBhcn' }, message);
    log.debug(message);
  });
  expect(text).not.toMatch(/442079460018|canary/);
  expect(text).toContain('no such number');
  expect(text).toContain('req_3q2-7wAAQkV1bWJlclBhcn');
});
