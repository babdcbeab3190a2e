import { expect, it } from 'vitest';
import { isFinalSqlState, isSqlState } from './sql-state.ts';

it('tells a SQLSTATE from codes of the system and of Prisma', () => {
  for (const code of ['25006', '57P01', '08006', 'XX000', 'P0001', '0A000', 'F0000', 'HV000'])
    expect([code, isSqlState(code)]).toEqual([code, true]);
  for (const code of ['EPIPE', 'E2BIG', 'ECONNRESET', 'P2002', 'P1001', 'PROTO', '2500', undefined, 25_006])
    expect([code, isSqlState(code)]).toEqual([code, false]);
});

it('counts constraint violations, syntax, permissions and raised exceptions as final', () => {
  for (const code of ['23505', '23503', '42601', '42501', '22P02', 'P0001'])
    expect([code, isFinalSqlState(code)]).toEqual([code, true]);
});

it('counts every other error of the database as temporary, known or not', () => {
  for (const code of [
    '25006',
    '57P01',
    '57P02',
    '57P03',
    '08006',
    '53100',
    '53300',
    '58030',
    'XX000',
    '28P01',
    '3D000',
  ])
    expect([code, isFinalSqlState(code)]).toEqual([code, false]);
  // A pooler that gave the connection another server session.
  for (const code of ['42P05', '26000']) expect([code, isFinalSqlState(code)]).toEqual([code, false]);
  // A schema of another version.
  for (const code of ['42883', '42P01', '42703', '0A000']) expect([code, isFinalSqlState(code)]).toEqual([code, false]);
  expect(isFinalSqlState('99Z99')).toBe(false);
});
