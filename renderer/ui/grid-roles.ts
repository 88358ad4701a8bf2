/**
 * Roles of a virtual grid's parts, to be spread on plain elements: a real table's rows cannot be placed freely. Rows and cells
 * take no focus of their own, for a focused row that is scrolled away would take the keyboard with it; the grid has focus,
 * keys and clicks, and names the active row (aria-activedescendant).
 */
export const GRID = { role: 'grid', tabIndex: 0 } as const;
/** What holds the rows. */
export const GRID_ROWS = { role: 'rowgroup' } as const;
/** A cell of a grid's row. */
export const GRID_CELL = { role: 'gridcell' } as const;
/** A column's heading. */
export const GRID_HEADING = { role: 'columnheader' } as const;

/** States a row can be in, for screen readers. */
export interface GridRowStates {
  'aria-selected'?: boolean;
  'aria-busy'?: boolean;
}

/** The grid's row at this place, counted from 1, headings included. */
export function gridRow(rowIndex: number, states: GridRowStates = {}) {
  return { role: 'row', 'aria-rowindex': rowIndex, ...states } as const;
}

/** The row's own mark (`data-<name>`) when a click hit a row; null when it hit something else. */
export function clickedRow(target: EventTarget, name: string): string | null {
  return target instanceof Element ? (target.closest(`[data-${name}]`)?.getAttribute(`data-${name}`) ?? null) : null;
}
