#include "apps/bench/bench_watch.h"

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/watch.h>
#include <millrace/pipeline/interrupt.h>

#include <iostream>
#include <utility>

namespace millrace::apps {

BenchWatch::BenchWatch(Screen screen, std::stop_token outside)
    : screen_(std::move(screen)), on_stop_(std::move(outside), [this] {
        screen_.stream() << concat(screen_.show == Show::bar ? kWipe : "",
                                   "millrace: stopping; Ctrl-C again ends at once\n");
        stop_.request_stop();
      }) {}

void BenchWatch::begin(std::string subject, bool is_long) {
  check();
  clear();
  subject_ = std::move(subject);
  if (is_long && screen_.show == Show::lines) {
    screen_.stream() << "measuring " << shown(subject_) << std::endl;
  }
}

void BenchWatch::at(const std::string& part, int done, int all) {
  check();
  work_(concat("measuring ", part, " of ", shown(subject_)), concat("of ", all),
        static_cast<std::uint64_t>(done));
}

void BenchWatch::check() const {
  if (stop_.stop_requested()) throw Stopped("stopped on request");
}

std::function<void(std::uint64_t)> BenchWatch::on_timing() {
  return [this](std::uint64_t count) {
    check();
    work_("finding the fastest algorithms", "operations", count);
  };
}

int stoppable(const std::function<void(BenchWatch&)>& benchmark) {
  Interrupt interrupt(last_words());
  BenchWatch watch(error_screen(false), interrupt.token());
  try {
    benchmark(watch);
    return 0;
  } catch (const Stopped&) {
    watch.clear();
    std::cerr << "millrace: stopped by a signal; measurements so far are not shown\n";
    return interrupt.exit_status();
  }
}

}  // namespace millrace::apps
