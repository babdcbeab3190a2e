import { expect, it } from 'vitest';
import { tapToCallLink, writeInvitation } from './invitation.ts';

it.each([
  ['en-GB', 'Phone: +1', 'PIN: 123 456 # (then the hash key)', 'One tap: tel:+1,,123456'],
  ['de-AT', 'Telefon: +1', 'PIN: 123 456 # (dann die Rautetaste)', 'Mit einem Tipp: tel:+1,,123456'],
  ['fr-FR', 'Téléphone: +1', 'Code: 123 456 # (puis la touche dièse)', 'En un geste: tel:+1,,123456'],
  ['es-MX', 'Teléfono: +1', 'Código: 123 456 # (y la tecla almohadilla)', 'Con un toque: tel:+1,,123456'],
  ['ja-JP', 'Phone: +1', 'PIN: 123 456 # (then the hash key)', 'One tap: tel:+1,,123456'],
])('writes the invitation for the language tag %s', (language, ...lines) => {
  expect(writeInvitation({ name: 'Room', number: '+1', pin: '123456', language }).split('\n')).toEqual([
    'Room',
    ...lines,
  ]);
});

// The characters that both dial: Apple's Phone app rejects `#` and `*`, Android's cuts at a raw
// `#`.
it('makes a tap-to-call link of digits, plus and pauses only', () => {
  const link = tapToCallLink('+442079460018', '407281935');
  expect(link).toMatch(/^tel:\+\d+,,\d+$/);
  const { pathname, hash } = new URL(link);
  expect([pathname, hash]).toEqual(['+442079460018,,407281935', '']);
});
