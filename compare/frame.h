// A frame that the guest sent, shared between the queue that holds it and the comparator that
// judges it, so that its bytes exist once. Nobody changes them.
#pragma once

#include <memory>

#include "base/types.h"

namespace colo::compare {

// In the order in which frames were pushed; never used twice.
using FrameId = Ordinal<struct FrameTag>;
using Frame = std::shared_ptr<const Bytes>;

}  // namespace colo::compare
