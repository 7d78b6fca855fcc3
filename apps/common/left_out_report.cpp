#include "apps/common/left_out_report.h"

#include <millrace/core/shown_text.h>

#include <nlohmann/json.hpp>

#include <iostream>
#include <string>
#include <utility>

namespace millrace::apps {

void print_note(const std::string& note, Show show) {
  (show == Show::nothing ? std::cerr : std::cout) << concat("note: ", note, '\n');
}

SessionWatch watch_of(WorkShown& work, Show show, std::stop_token stop) {
  return {.on_work = [&work](const std::string& what, const std::string& unit,
                             std::uint64_t count) { work(what, unit, count); },
          .on_note =
              [&work, show](const std::string& line) {
                work.clear();
                print_note(line, show);
              },
          .on_warning =
              [&work, show](const std::string& line) {
                if (show == Show::nothing) return;  // the notes say it
                work.clear();
                std::cerr << "millrace: " << line << '\n';
              },
          .on_stall = stall_watch(0).tell,
          .stop = std::move(stop)};
}

nlohmann::ordered_json json_of(const LeftOut& left_out, std::uint64_t not_decoded) {
  nlohmann::ordered_json reasons = nlohmann::ordered_json::object();
  for (const auto& [reason, count] : left_out.counts()) reasons[reason] = count;
  if (not_decoded > 0) reasons["not_decoded"] = not_decoded;
  nlohmann::ordered_json json{{"left_out", left_out.total() + not_decoded}};
  if (!reasons.empty()) json["left_out_by_reason"] = std::move(reasons);
  return json;
}

void Complaints::say(const std::string& why) {
  is_complete_ = false;
  std::cerr << "millrace: " << shown(why) << '\n';
}

void Complaints::not_decoded(const std::string& why) {
  ++not_decoded_;
  say(why);
}

void Complaints::sum_up(bool json) const {
  if (left_out_.total() > 0) print_note(left_out_.summary(), Show::nothing);
  if (!json || left_out_.total() + not_decoded_ == 0) return;
  std::cout << json_of(left_out_, not_decoded_).dump() << '\n' << std::flush;
}

}  // namespace millrace::apps
