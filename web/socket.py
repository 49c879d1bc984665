"""placeholder"""
def socket_routes(server): return []
