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
  'a field called %s is never shown, at the top or inside',
  (name) => {
    const text = logged((log) =>
      log.info({ [name]: 'canary', request: { [name]: 'canary', deep: { [name]: 'canary' } } }, 'something'),
    );
    expect(text).toContain('something');
    expect(text).not.toContain('canary');
  },
);

test('an error is its words and where it came from, not what was hung on it', () => {
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

test('what somebody else wrote into an error, a field or a line is shown without numbers and secrets', () => {
  const words = 'no such number: +442079460018, Bearer canary';
  const text = logged((log) => {
    log.warn({ err: new Error(words), error: `Error: ${words}` }, 'a call failed');
    log.error({ requestId: 'req_3q2-7wAAQkV1bWJlclBhcn' }, words);
    log.debug(words);
  });
  expect(text).not.toMatch(/442079460018|canary/);
  expect(text).toContain('no such number');
  expect(text).toContain('req_3q2-7wAAQkV1bWJlclBhcn');
});
