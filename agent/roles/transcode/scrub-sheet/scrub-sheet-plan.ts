import type { Size, VideoTrack } from '../ffmpeg/media-info.ts';
import { shownSize } from '../ffmpeg/rendition-plan.ts';

// The scrub sheet (KEYFRAME_MAP): one JPEG of tiles, left to right and top to bottom, one per interval of the clip. That iconik
// has such a type is documented (reference A.7, C.10); interval, tile size and order are inferred, so the layout is kept simple
// enough to be read off the picture: all tiles have one size, and tile n shows the clip at n × interval. Pure.

/** Layout of a scrub sheet. */
export interface SheetPlan {
  /** Seconds between tiles. */
  intervalSeconds: number;
  columns: number;
  rows: number;
  tile: Size;
  /** Tiles that show something; the rest of the last row is black. */
  count: number;
}

/** Shortest interval, seconds: a pointer moved over a thumbnail shows no more. */
const SHORTEST_INTERVAL = 1;
/** Most tiles. With tiles of 160 pixels the sheet stays within 1,600 × 1,600 pixels, which every browser takes. */
const MOST_TILES = 100;
const COLUMNS = 10;
/** Longer side of a tile. */
const TILE_PIXELS = 160;

/** Part of an interval that the last tile needs: lengths come from the longest track, and the picture may end before it. */
const LAST_TILE = 0.25;

const even = (value: number) => Math.max(2, Math.round(value / 2) * 2);

function tileOf(track: VideoTrack): Size {
  const shown = shownSize(track);
  const scale = Math.min(1, TILE_PIXELS / Math.max(shown.width, shown.height));
  return { width: even(shown.width * scale), height: even(shown.height * scale) };
}

/** The sheet of a clip; null when its length is not known or it is too short for two tiles: its poster says as much. */
export function planSheet(track: VideoTrack, durationSeconds: number | null): SheetPlan | null {
  if (durationSeconds === null || durationSeconds < 2 * SHORTEST_INTERVAL) return null;
  const intervalSeconds = Math.max(SHORTEST_INTERVAL, Math.ceil(durationSeconds / MOST_TILES));
  const count = Math.min(MOST_TILES, Math.ceil(durationSeconds / intervalSeconds - LAST_TILE));
  const columns = Math.min(COLUMNS, count);
  return { intervalSeconds, columns, rows: Math.ceil(count / columns), tile: tileOf(track), count };
}

/** Size of the whole sheet. */
export function sheetSize({ columns, rows, tile }: SheetPlan): Size {
  return { width: columns * tile.width, height: rows * tile.height };
}

/**
 * Filters that make the sheet in one pass: the picture at each multiple of the interval, in a tile's size, laid out. `round=up`
 * takes the first picture at or after the instant. `jpegFilters` come after them.
 */
export function sheetFilters({ intervalSeconds, columns, rows, tile }: SheetPlan): string {
  const scale = `scale=${tile.width}:${tile.height}:flags=bilinear,setsar=1`;
  return `fps=1/${intervalSeconds}:start_time=0:round=up,${scale},tile=${columns}x${rows}`;
}
