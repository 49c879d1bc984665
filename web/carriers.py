"""placeholder"""
def carrier_routes(server): return []
