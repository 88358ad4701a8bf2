import { describe, expect, it } from 'vitest';
import { beside, type Lane, laneDemand, probingLane } from '../../../agent/jobs/lane.ts';

const lane = (limit: number, perProfile = false): Lane => ({
  role: 'TRANSCODE',
  kinds: ['transcode'],
  limit: () => limit,
  perProfile,
});

describe('a lane', () => {
  it('asks for its free slots, and for none while more run than a lowered limit allows', () => {
    expect(laneDemand(lane(4), ['', ''], 'all')).toMatchObject({ slots: 2 });
    expect(laneDemand(lane(1), ['', ''], 'all')).toBeNull();
    expect(laneDemand(lane(2), ['', ''], 'all')).toBeNull();
  });

  it('counts every profile by itself when told to', () => {
    expect(laneDemand(lane(2, true), ['hd', 'hd', 'sd'], 'all')).toMatchObject({
      slots: 2,
      takenByProfile: { hd: 2, sd: 1 },
    });
  });

  it('of a role in quarantine asks for nothing, or for one job while the role is tried', () => {
    expect(laneDemand(lane(4), [], 'none')).toBeNull();
    expect(laneDemand(lane(4), [], 'one')).toMatchObject({ slots: 1 });
    expect(laneDemand(lane(4), [''], 'one')).toBeNull();
  });

  it('of a role that is tried asks for one job in all, of whatever profile', () => {
    expect(laneDemand(lane(4, true), [], 'one')).toMatchObject({ slots: 1, most: 1 });
  });

  it('of a role that is tried takes turns with the others of the role, and waits while any of its jobs runs', () => {
    const [uploads, none, downloads] = [lane(4), lane(0), lane(4)];
    const lanes = [uploads, none, downloads];
    expect([0, 1, 2].map((turn) => probingLane(lanes, 0, turn))).toEqual([uploads, downloads, uploads]);
    expect(probingLane(lanes, 1, 0)).toBeNull();
    expect(probingLane([none], 0, 0)).toBeNull();
  });

  it('asks beside a statement on its way for the slots that this leaves, and never twice by profile', () => {
    const other = { role: 'CHECKSUM', kinds: ['checksum'], slots: 3 } as const;
    const demand = (slots: number) => ({ role: 'TRANSCODE', kinds: ['transcode'], slots }) as const;
    expect(beside(demand(8), [demand(5), other])).toEqual(demand(3));
    expect(beside(demand(5), [demand(5)])).toBeNull();
    const byProfile = { ...demand(2), takenByProfile: {} };
    expect(beside(byProfile, [other])).toBe(byProfile);
    expect(beside(byProfile, [byProfile])).toBeNull();
  });
});
