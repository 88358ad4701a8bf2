import { Button } from '@mantine/core';
import { Component, type ReactNode } from 'react';
import { ErrorNotice } from './ErrorNotice.tsx';

interface Props {
  /** What failed, e.g. "This screen". */
  name: string;
  children: ReactNode;
}

/** Keeps a mistake of one screen from taking the whole window; offers to draw it anew. */
export class ErrorBoundary extends Component<Props, { message: string | null }> {
  override state: { message: string | null } = { message: null };

  static getDerivedStateFromError(thrown: unknown) {
    return { message: thrown instanceof Error ? thrown.message : String(thrown) };
  }

  override render() {
    if (this.state.message === null) return this.props.children;
    return (
      <ErrorNotice
        cause={`${this.props.name} could not be drawn.`}
        consequence="The node itself is not affected and goes on working."
        remedy={`Draw it again. If that does not help, report this message: ${this.state.message}`}
        action={<Button onClick={() => this.setState({ message: null })}>Draw again</Button>}
      />
    );
  }
}
