import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';

/** Entry of the window: draws the application into the page that main has opened. */
const root = document.getElementById('root');
if (root) createRoot(root).render(<App />);
