#include <millrace/pipeline/report.h>

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>

#include <algorithm>
#include <iomanip>
#include <ostream>

namespace millrace {
namespace {

/// The share of the time that the stage's threads were busy, or its device.
double load_of(const StageReport& stage, double wall_s) {
  return wall_s > 0 ? std::max(stage.busy_s / stage.workers, stage.device_s) / wall_s : 0;
}

bool uses_device(const StageReport& stage) {
  return stage.peak_in_flight > 0 || stage.device_s > 0;
}

}  // namespace

std::string Report::bottleneck() const {
  const auto busiest = std::max_element(stages.begin(), stages.end(),
                                        [this](const StageReport& a, const StageReport& b) {
                                          return load_of(a, wall_s) < load_of(b, wall_s);
                                        });
  return busiest == stages.end() ? "" : busiest->name;
}

const StageReport& Report::stage(const std::string& stage_name) const {
  for (const StageReport& stage : stages) {
    if (stage.name == stage_name) return stage;
  }
  throw Error(concat("report: there is no stage '", stage_name, "'"));
}

std::string Report::text() const {
  const bool has_device = std::any_of(stages.begin(), stages.end(), uses_device);
  std::size_t width = 5;
  for (const StageReport& stage : stages) width = std::max(width, stage.name.size());
  std::ostringstream out;
  out << std::fixed << std::setprecision(2);
  out << "pipeline " << name << ": " << wall_s << " s" << (stopped ? ", stopped early" : "") << '\n'
      << "  " << std::left << std::setw(static_cast<int>(width)) << "stage" << std::right
      << std::setw(10) << "items" << std::setw(9) << "skipped" << std::setw(10) << "busy s"
      << std::setw(7) << "load" << std::setw(12) << "starved s" << std::setw(11) << "blocked s"
      << std::setw(10) << "p50 ms" << std::setw(10) << "p99 ms" << std::setw(7) << "queue";
  if (has_device) out << std::setw(11) << "device s" << std::setw(11) << "in flight";
  out << '\n';
  for (const StageReport& s : stages) {
    out << "  " << std::left << std::setw(static_cast<int>(width)) << s.name << std::right
        << std::setw(10) << s.items << std::setw(9) << s.skipped << std::setw(10) << s.busy_s
        << std::setw(6) << static_cast<int>(100 * load_of(s, wall_s) + 0.5) << '%' << std::setw(12)
        << s.starved_s << std::setw(11) << s.blocked_s << std::setprecision(3) << std::setw(10)
        << s.p50_ms << std::setw(10) << s.p99_ms << std::setprecision(2) << std::setw(7)
        << s.peak_queue;
    if (uses_device(s)) out << std::setw(11) << s.device_s << std::setw(11) << s.peak_in_flight;
    out << '\n';
  }
  out << "bottleneck: " << bottleneck() << '\n';
  for (const StageReport& s : stages) {
    if (s.retried > 0) {
      out << "tried again: " << s.name << ", " << s.retried << ' ' << plural(s.retried, "time")
          << '\n';
    }
  }
  for (const StageReport& s : stages) {
    if (stopped && s.next) out << "to resume: " << s.name << " from item " << s.next->items << '\n';
  }
  for (const std::string& reason : skipped) out << "skipped: " << shown(reason) << '\n';
  if (trace_events_lost > 0)
    out << "trace: the last " << trace_events_lost << " events did not fit\n";
  for (const std::string& remark : remarks) out << remark << '\n';
  return std::move(out).str();
}

std::string Report::json() const {
  std::ostringstream out;
  out << "{\"name\":" << json_quoted(name) << ",\"wall_s\":" << json_number(wall_s)
      << ",\"threads\":" << threads << ",\"stopped\":" << (stopped ? "true" : "false")
      << ",\"bottleneck\":" << json_quoted(bottleneck()) << ",\"stages\":[";
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const StageReport& s = stages[i];
    out << (i == 0 ? "" : ",") << "\n{\"name\":" << json_quoted(s.name)
        << ",\"kind\":" << json_quoted(s.kind) << ",\"concurrency\":" << s.concurrency
        << ",\"items\":" << s.items << ",\"skipped\":" << s.skipped << ",\"retried\":" << s.retried
        << ",\"busy_s\":" << json_number(s.busy_s) << ",\"starved_s\":" << json_number(s.starved_s)
        << ",\"blocked_s\":" << json_number(s.blocked_s) << ",\"p50_ms\":" << json_number(s.p50_ms)
        << ",\"p99_ms\":" << json_number(s.p99_ms) << ",\"max_ms\":" << json_number(s.max_ms)
        << ",\"peak_queue\":" << s.peak_queue;
    if (uses_device(s)) {
      out << ",\"device_s\":" << json_number(s.device_s)
          << ",\"peak_in_flight\":" << s.peak_in_flight;
    }
    if (s.kind == "source") out << ",\"emitted\":" << s.emitted;
    if (s.next) out << ",\"next\":" << s.next->items;
    out << '}';
  }
  out << "],\n\"skipped\":[";
  for (std::size_t i = 0; i < skipped.size(); ++i)
    out << (i == 0 ? "" : ",") << json_quoted(skipped[i]);
  out << "],\"remarks\":[";
  for (std::size_t i = 0; i < remarks.size(); ++i)
    out << (i == 0 ? "" : ",") << json_quoted(remarks[i]);
  out << "],\"trace_events_lost\":" << trace_events_lost << "}\n";
  return std::move(out).str();
}

std::ostream& operator<<(std::ostream& out, const Report& report) {
  return out << report.text();
}

}  // namespace millrace
