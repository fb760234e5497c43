"""The real domains under the simulator: shoppers who buy, pay by wallet or channel, cancel, receive and give back, while the cloud
dies and its disk loses what was not synced. The channel is somebody else's service: it goes on while the cloud is dead.
"""

from yunduan.testing.trade.simulation import TradeSimulation

__all__ = ["TradeSimulation"]
