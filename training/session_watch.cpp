#include <millrace/training/session_watch.h>

#include <utility>

namespace millrace {

Watch SessionWatch::of_work(std::string what, std::string unit) const {
  if (!on_work) return {{}, stop};
  return {[tell = on_work, what = std::move(what), unit = std::move(unit)](std::uint64_t count) {
            tell(what, unit, count);
          },
          stop};
}

void SessionWatch::note(const std::string& line) const {
  if (on_note) on_note(line);
}

}  // namespace millrace
