import type { Labels } from "./metrics-text.js";
import type { Reading } from "./series.js";

export type Unit = "count" | "perSecond" | "seconds" | "bytes" | "cores";

export interface Series {
  /** Of all plots, no other has it. */
  readonly id: string;
  readonly label: string;
  readonly reading: Reading;
  /** One of the eight colours of `tokens.css`. */
  readonly hue: number;
}

export interface Plot {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  /** Whether what is below a line is tinted. */
  readonly isFilled: boolean;
  readonly series: readonly Series[];
}

/** What is drawn: each line with the series of `docs/metrics.md` that it is. */
export const PLOTS: readonly Plot[] = [
  {
    id: "connections",
    title: "Connections",
    unit: "count",
    isFilled: true,
    series: [
      line("sessions-websocket", "WebSocket", 0, gauge("openline_sessions", { transport: "websocket" })),
      line("sessions-sse", "SSE", 2, gauge("openline_sessions", { transport: "sse" })),
      line("sessions-poll", "polling", 5, gauge("openline_sessions", { transport: "poll" })),
    ],
  },
  {
    id: "messages",
    title: "Messages per second",
    unit: "perSecond",
    isFilled: true,
    series: [
      line("received", "in", 1, rate("openline_received_messages_total")),
      line("sent", "out", 0, rate("openline_sent_messages_total")),
      line("published", "published", 2, rate("openline_publications_total", { result: "accepted" })),
    ],
  },
  {
    id: "channels",
    title: "Channels and subscriptions",
    unit: "count",
    isFilled: true,
    series: [
      line("channels", "channels", 6, gauge("openline_channels")),
      line("subscriptions", "subscriptions", 0, gauge("openline_subscriptions")),
    ],
  },
  {
    id: "latency",
    title: "Delivery latency",
    unit: "seconds",
    isFilled: false,
    series: [
      line("p50", "p50", 0, quantile("openline_delivery_latency_seconds", 0.5)),
      line("p95", "p95", 2, quantile("openline_delivery_latency_seconds", 0.95)),
      line("p99", "p99", 3, quantile("openline_delivery_latency_seconds", 0.99)),
    ],
  },
  {
    id: "drops",
    title: "Drops per second",
    unit: "perSecond",
    isFilled: false,
    series: [
      line("full", "queue full", 3, rate("openline_line_batches_total", { result: "full" })),
      line("slow", "slow, ended", 6, rate("openline_lines_closed_total", { code: "4006" })),
      line("overloaded", "overloaded", 2, rate("openline_publications_total", { result: "overloaded" })),
      line("webhook", "webhooks", 5, rate("openline_webhook_events_dropped_total")),
    ],
  },
  {
    id: "errors",
    title: "Errors per second",
    unit: "perSecond",
    isFilled: false,
    series: [
      line("errors", "answers", 2, rate("openline_errors_total")),
      line("turned-away", "turned away", 5, rate("openline_turned_away_total")),
      line("panics", "panics", 3, rate("openline_panics_total")),
    ],
  },
  {
    id: "cpu",
    title: "Processor",
    unit: "cores",
    isFilled: true,
    series: [line("cpu", "in use", 1, rate("process_cpu_seconds_total"))],
  },
  {
    id: "memory",
    title: "Memory",
    unit: "bytes",
    isFilled: true,
    series: [
      line("resident", "resident", 6, gauge("process_resident_memory_bytes")),
      line("history", "history", 2, gauge("openline_history_bytes")),
    ],
  },
];

function line(id: string, label: string, hue: number, reading: Reading): Series {
  return { id, label, hue, reading };
}

function gauge(name: string, labels: Labels = {}): Reading {
  return { kind: "gauge", name, labels };
}

function rate(name: string, labels: Labels = {}): Reading {
  return { kind: "rate", name, labels };
}

function quantile(name: string, share: number): Reading {
  return { kind: "quantile", name, quantile: share };
}
