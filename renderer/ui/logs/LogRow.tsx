import { memo } from 'react';
import type { LogLine } from '../../../agent/contract/index.ts';
import { formatAbsolute } from '../format.ts';
import { GRID_CELL, gridRow } from '../grid-roles.ts';
import { fieldsOf, fieldsText, levelWord, timeOfDay, visibleText } from './log-text.ts';
import './logs.css';

/** Tells by DOM id which row has the keyboard (aria-activedescendant). */
export const logRowId = (prefix: string, seq: number) => `${prefix}-line-${seq}`;

interface LogRowProps {
  line: LogLine;
  id: string;
  index: number;
  topPx: number;
  isSelected: boolean;
  isActive: boolean;
  isUnfolded: boolean;
  measure: (element: HTMLElement | null) => void;
}

function Unfolded({ line }: { line: LogLine }) {
  return (
    <span className="isg-log-fields">
      <span className="isg-log-field">
        <span className="isg-dim">time</span> {formatAbsolute(line.atMs)}
      </span>
      {fieldsOf(line).map(({ name, value }) => (
        <span key={name} className="isg-log-field">
          <span className="isg-dim">{visibleText(name || 'fields')}</span> {visibleText(value)}
        </span>
      ))}
    </span>
  );
}

/** One record. Level = stripe + word; long ones are cut at a few rows until unfolded. */
export const LogRow = memo(function LogRow(props: LogRowProps) {
  const { line, id, index, topPx, isSelected, isActive, isUnfolded, measure } = props;
  const names = ['isg-log-row', `isg-log-${line.level}`];
  if (isSelected) names.push('isg-log-selected');
  if (isActive) names.push('isg-log-active');
  if (isUnfolded) names.push('isg-log-unfolded');
  const fields = isUnfolded ? '' : fieldsText(line);
  return (
    <div
      ref={measure}
      {...gridRow(index + 1, { 'aria-selected': isSelected })}
      id={id}
      data-index={index}
      data-seq={line.seq}
      data-level={line.level}
      data-testid="log-line"
      className={names.join(' ')}
      style={{ transform: `translateY(${topPx}px)` }}
    >
      <span {...GRID_CELL} className="isg-log-time" title={formatAbsolute(line.atMs)}>
        {timeOfDay(line.atMs)}
      </span>
      <span {...GRID_CELL} className="isg-log-level">
        {levelWord(line.level)}
      </span>
      <span {...GRID_CELL} className="isg-log-text">
        <bdi>{visibleText(line.message)}</bdi>
        {fields === '' ? null : <span className="isg-dim"> {visibleText(fields)}</span>}
        {isUnfolded ? <Unfolded line={line} /> : null}
      </span>
    </div>
  );
});
