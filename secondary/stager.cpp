#include "secondary/stager.h"

namespace colo::secondary {

namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

constexpr const char* same_version = "run the same version of colo on both hosts";

}  // namespace

Stager::Stager(cache::Cache& cache, MemoryLayout layout, Generation generation, Epoch base)
    : cache_(cache), layout_(std::move(layout)), generation_(generation), open_(base.next()) {}

Result<void> Stager::check_numbers(const wire::Header& header) const {
  if (header.generation != generation_) {
    return fail("wrong-generation",
                "a frame of generation " + number(header.generation.value) +
                    " arrived in a session of generation " + number(generation_.value),
                same_version);
  }
  if (header.epoch != open_) {
    return fail("out-of-order",
                "a frame of checkpoint " + number(header.epoch.value) +
                    " arrived where checkpoint " + number(open_.value) + " is open",
                same_version);
  }
  return {};
}

Result<std::optional<Epoch>> Stager::take(const wire::Frame& frame) {
  if (auto fits = check_numbers(frame.header); !fits) return fail(fits.error());
  Result<void> taken;
  switch (frame.header.kind) {
    case wire::Kind::pages:
      taken = take_pages(frame);
      break;
    case wire::Kind::device_state:
      taken = take_device_state(frame);
      break;
    case wire::Kind::device_chunk:
      taken = take_device_chunk(frame);
      break;
    case wire::Kind::commit:
      taken = take_commit(frame);
      if (!taken) return fail(taken.error());
      open_ = open_.next();
      return frame.header.epoch;
    default:
      return fail("unexpected-frame",
                  "a frame of kind " + number(static_cast<std::uint64_t>(frame.header.kind)) +
                      " has no place on a bulk lane",
                  same_version);
  }
  if (!taken) return fail(taken.error());
  return std::optional<Epoch>();
}

Result<void> Stager::take_pages(const wire::Frame& frame) {
  if (announced_) {
    return fail("unexpected-frame", "pages arrived behind the device state of their checkpoint",
                same_version);
  }
  const auto batch = wire::decode_pages(frame.body, layout_);
  if (!batch) return fail(batch.error());
  for (std::size_t i = 0; i < batch->data.size(); ++i) {
    const ByteView bytes = batch->contents.subspan(i * page_bytes, page_bytes);
    if (auto put = cache_.put_page(open_, {batch->region, batch->data[i]}, bytes); !put) return put;
  }
  for (const PageIndex page : batch->zero) {
    if (auto put = cache_.put_zero(open_, {batch->region, page}); !put) return put;
  }
  pages_ += batch->data.size() + batch->zero.size();
  zero_pages_ += batch->zero.size();
  digest_.add(frame.header.body_checksum);
  return {};
}

Result<void> Stager::take_device_state(const wire::Frame& frame) {
  const auto announced = wire::decode_device_state(frame.body);
  if (!announced) return fail(announced.error());
  if (announced_) {
    return fail("unexpected-frame", "a second device state of one checkpoint", same_version);
  }
  if (announced->bytes == 0 || announced->bytes > device_state_bytes_max) {
    return fail("device-state-too-large",
                "a device state of " + number(announced->bytes) + " bytes; the bound is " +
                    number(device_state_bytes_max),
                "look for a device with an unusually large state in guest.command");
  }
  announced_ = *announced;
  device_state_.clear();
  return {};
}

Result<void> Stager::take_device_chunk(const wire::Frame& frame) {
  if (!announced_ || frame.body.size() > announced_->bytes - device_state_.size()) {
    return fail("wrong-device-state", "more bytes of device state than its size said",
                same_version);
  }
  // Grown by what arrived, not by what was announced.
  device_state_.insert(device_state_.end(), frame.body.begin(), frame.body.end());
  return {};
}

Result<void> Stager::take_commit(const wire::Frame& frame) {
  const auto commit = wire::decode_commit(frame.body);
  if (!commit) return fail(commit.error());
  const std::string checkpoint = "checkpoint " + number(open_.value);
  if (!announced_ || device_state_.size() != announced_->bytes ||
      commit->device_bytes != announced_->bytes) {
    return fail("wrong-device-state",
                checkpoint + " has " + number(device_state_.size()) +
                    " bytes of device state where its commit record says " +
                    number(commit->device_bytes),
                same_version);
  }
  if (wire::hash128(device_state_) != announced_->hash) {
    return fail("wrong-device-state", checkpoint + ": the hash of its device state is wrong",
                "look for faulty memory or a faulty network card on either host");
  }
  if (commit->pages != pages_ || commit->zero_pages != zero_pages_ ||
      commit->digest != digest_.value()) {
    return fail("wrong-digest",
                checkpoint + " has " + number(pages_) + " pages where its commit record says " +
                    number(commit->pages) + ", or their digest differs",
                "look for faulty memory or a faulty network card on either host");
  }
  if (auto put = cache_.put_device_state(open_, std::move(device_state_)); !put) return put;
  device_state_ = {};
  announced_.reset();
  pages_ = 0;
  zero_pages_ = 0;
  digest_ = {};
  return {};
}

}  // namespace colo::secondary
